"""A service behind the proxy: says what it was sent, as echoing services do.

    proxy_service.py LOG PORTFILE [CERT KEY]

Writes each request's line, head and length of body to LOG, one JSON object a
line, and its port to PORTFILE once it listens.
"""
import http.server
import json
import os
import ssl
import sys
import threading
import time

LOG, PORTFILE = sys.argv[1:3]
LOCK = threading.Lock()


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body of an answer go out as one

    def log_message(self, *args):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            while True:
                size = int(self.rfile.readline(), 16)
                part = self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return
                yield part
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0:
            part = self.rfile.read(min(left, 65536))
            if not part:
                return
            left -= len(part)
            yield part

    def note(self, length, start):
        with LOCK, open(LOG, "a") as log:
            log.write(json.dumps({"method": self.command, "path": self.path,
                                  "head": self.headers.items(),
                                  "start": start, "bytes": length}) + "\n")

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for i in range(int(self.path.rsplit("/", 1)[1])):
            self.wfile.write(b"data: %d\n\n" % i)
            self.wfile.flush()
            time.sleep(0.2)
        self.close_connection = True

    def forever(self):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"line\n" * 1000)
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            with LOCK, open(LOG, "a") as log:
                log.write(json.dumps({"gone": self.path}) + "\n")
        self.close_connection = True

    def pause(self, body):
        """Says what was sent; what stands behind PAUSE only after a while."""
        self.send_response(200)
        self.send_header("X-Sent", self.headers.get("X-Send", "-"))
        self.end_headers()
        for i, part in enumerate(body.split(b"PAUSE")):
            if i > 0:
                time.sleep(0.25)
            self.wfile.write(part)
            self.wfile.flush()
        self.close_connection = True

    def answer(self):
        if "/pause" in self.path:
            return self.pause(b"".join(self.body()))
        length, start = 0, b""
        for part in self.body():
            length += len(part)
            start = (start + part)[:512] if len(start) < 512 else start
        self.note(length, start.decode("latin-1"))
        if "/events/" in self.path:
            return self.events()
        if "/forever" in self.path:
            return self.forever()
        if "/cut" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"a beginning\n")
            self.wfile.flush()
            self.connection.close()
            self.close_connection = True
            return None
        auth = self.headers.get("Authorization") or self.path
        out = json.dumps({"sent": dict(self.headers), "path": self.path,
                          "bytes": length, "spread": list(auth)}).encode()
        out += b"\nhex " + auth.split(" ")[-1].encode().hex().encode() + b"\n"
        self.send_response(200)
        if "/gzip" in self.path:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Echo", auth)
        self.send_header("Set-Cookie", "sid=1; Path=/")
        self.send_header("Connection", "keep-alive, X-Hop")
        self.send_header("X-Hop", "1")
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        if "/gzip/late" in self.path:
            self.wfile.flush()
            time.sleep(0.3)
        if self.command != "HEAD":
            self.wfile.write(out)
        return None

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = answer



def serve(service):
    """Until killed, as the arguments say: by TLS with a certificate."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), service)
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(PORTFILE + ".new", "w") as port:
        port.write(str(server.server_port))
    os.rename(PORTFILE + ".new", PORTFILE)
    server.serve_forever()


if __name__ == "__main__":
    serve(Service)
