"""A service that encodes its answers, asked or not: /CODING/FORM.

    proxy_encoded.py LOG PORTFILE [CERT KEY]

Writes each request to LOG, one JSON object a line, and its port to PORTFILE once
it listens. CODING is gzip, deflate, raw (deflate without zlib's head), zstd,
twice (zstd in gzip), br or none.
"""
import ctypes
import gzip
import hashlib
import http.server
import json
import os
import ssl
import sys
import threading
import time
import zlib

LOG, PORTFILE = sys.argv[1:3]
LOCK = threading.Lock()
ZSTD = ctypes.CDLL("libzstd.so.1")
for name in ("ZSTD_compressBound", "ZSTD_compress"):
    getattr(ZSTD, name).restype = ctypes.c_size_t
LINES = b"".join(b"%08d the quick brown fox\n" % (i * 7919 % 99999989)
                 for i in range(300000))


def zstd(plain):
    room = ZSTD.ZSTD_compressBound(ctypes.c_size_t(len(plain)))
    out = ctypes.create_string_buffer(room)
    size = ZSTD.ZSTD_compress(out, ctypes.c_size_t(room), plain,
                              ctypes.c_size_t(len(plain)), 3)
    return out.raw[:size]


def raw(plain):
    coder = zlib.compressobj(wbits=-15)
    return coder.compress(plain) + coder.flush()


CODINGS = {
    "gzip": ("gzip", gzip.compress), "deflate": ("deflate", zlib.compress),
    "raw": ("deflate", raw), "zstd": ("zstd", zstd),
    "twice": ("zstd, gzip", lambda plain: gzip.compress(zstd(plain))),
    "br": ("br", lambda plain: plain), "none": (None, lambda plain: plain),
}


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def start(self, coding, status=200, length=None, extra=()):
        self.send_response(status)
        if CODINGS[coding][0]:
            self.send_header("Content-Encoding", CODINGS[coding][0])
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("ETag", '"v1"')
        for name, value in extra:
            self.send_header(name, value)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        elif status == 200:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def chunk(self, part):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.flush()

    def events(self, coding, value):
        self.start(coding, extra=[("Content-Type", "text/event-stream")])
        coder = zlib.compressobj(wbits={"gzip": 31, "raw": -15}.get(coding, 15))
        for i in range(5):
            event = b"data: %d %s\n\n" % (i, value.encode())
            self.chunk(zstd(event) if coding == "zstd" else coder.compress(event)
                       + coder.flush(zlib.Z_SYNC_FLUSH))
            time.sleep(0.2)
        if coding != "zstd":
            self.chunk(coder.flush())
        self.chunk(b"")

    def plain(self, form, value):
        if form == "big":
            return LINES
        if form == "wide":  # a part of it is more than is kept of an answer
            return b"a line as all the others are\n" * 34000
        if form == "bomb":
            return bytes(64 * 1024 * 1024)
        if form == "empty":
            return b""
        return json.dumps({"auth": "Bearer " + value, "hex":
                           value.encode().hex()}).encode() + b"\n"

    def answer(self):
        coding, form = self.path.split("?")[0].split("/")[1:3]
        auth = self.headers.get("Authorization", "")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with LOCK, open(LOG, "a", encoding="ascii") as log:
            log.write(json.dumps({
                "method": self.command, "path": self.path, "auth": auth,
                "asked": self.headers.get("Accept-Encoding", ""),
                "sent": self.headers.get("Content-Encoding", ""),
                "sha256": hashlib.sha256(body).hexdigest()}) + "\n")
        value = auth.split(" ")[-1]
        if form == "events":
            return self.events(coding, value)
        if form in ("204", "304"):
            return self.start(coding, int(form), 0)
        if form == "nothing":
            return self.start(coding, 200, 0)
        coded = CODINGS[coding][1](self.plain(form, value))
        if form == "short":
            coded = coded[:-3]
        elif form == "behind":
            coded += b"something else"
        elif form == "liar":
            coded = b"not really: " + value.encode() + b"\n"
        self.start(coding, 200, len(coded))
        if self.command != "HEAD":
            self.wfile.write(coded)
        return None

    do_GET = do_POST = do_HEAD = answer


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(PORTFILE + ".new", "w", encoding="ascii") as port:
    port.write(str(server.server_port))
os.rename(PORTFILE + ".new", PORTFILE)
server.serve_forever()
