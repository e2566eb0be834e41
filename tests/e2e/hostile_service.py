"""A service that breaks every rule: answers by the last word of the path, with
what it was sent as Authorization wherever an answer can hold it.

    hostile_service.py LOG PORTFILE OTHER

OTHER is the address that its redirects lead to. The value is not in the log.
"""
import os
import re
import socketserver
import sys
import zlib

LOG, PORTFILE, OTHER = sys.argv[1:4]
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answers(v):
    other = OTHER.encode()
    packed = zlib.compress(v, wbits=31)
    yes = b"HTTP/1.1 200 OK\r\n"
    return {
        b"301": b"HTTP/1.1 301 M\r\nLocation: %s/to?k=%s\r\nContent-Length: 0\r\n\r\n" % (other, v),
        b"308": b"HTTP/1.1 308 M\r\nLocation: %s/plain\r\nContent-Length: 0\r\n\r\n" % other,
        b"302": b"HTTP/1.1 302 F\r\nLocation: //%s@evil.example/\r\nContent-Length: 0\r\n\r\n" % v,
        b"307": b"HTTP/1.1 307 T\r\nLocation: %s/%s\r\nRefresh: 0; url=/%s\r\n"
                b"Content-Length: 0\r\n\r\n" % (other, v, v),
        b"401": b"HTTP/1.1 401 U\r\nWWW-Authenticate: Bearer realm=\"%s\"\r\n"
                b"Content-Length: 0\r\n\r\n" % v,
        b"reason": b"HTTP/1.1 200 %s\r\nContent-Length: 2\r\n\r\nok" % v,
        b"hints": b"HTTP/1.1 103 Early Hints\r\nLink: <%s>\r\n\r\n" % v + PLAIN,
        b"trailer": yes + b"Transfer-Encoding: chunked\r\nTrailer: X-K\r\n\r\n"
                          b"2\r\nok\r\n0\r\nX-K: %s\r\n\r\n" % v,
        b"extension": yes + b"Transfer-Encoding: chunked\r\n\r\n"
                            b"2;k=%s\r\nok\r\n0\r\n\r\n" % v,
        b"named": yes + b"X-%s: 1\r\nContent-Length: 2\r\n\r\nok" % v,
        b"cookie": yes + b"Set-Cookie: a=%s\r\nSet-Cookie: b=%s\r\n"
                         b"Content-Length: 2\r\n\r\nok" % (v, v),
        b"hop": yes + b"Connection: X-K\r\nX-K: %s\r\nContent-Length: 2\r\n\r\nok" % v,
        b"split": yes + b"Transfer-Encoding: chunked\r\n\r\n" +
                  b"".join(b"1\r\n%c\r\n" % c for c in v) + b"0\r\n\r\n",
        b"upper": yes + b"Content-Length: %d\r\n\r\n%s" % (2 * len(v), v.hex().upper().encode()),
        b"lengths": yes + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok" + v,
        b"both": yes + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"coded": yes + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed,
        b"coded-twice": yes + b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"
                              b"Content-Length: %d\r\n\r\n" % len(packed) + packed,
        b"te": yes + b"Transfer-Encoding: gzip, chunked\r\n\r\n%x\r\n" % len(packed) + packed +
               b"\r\n0\r\n\r\n",
        b"part": b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/99\r\nContent-Length: 9\r\n\r\n" + v[:9],
        b"switch": b"HTTP/1.1 101 S\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\n" + v,
        b"none": v,
        b"old": b"HTTP/0.9 200 OK\r\n\r\n" + v,
        b"huge": yes + (b"X: %s\r\n" % v) * 5000 + b"\r\n",
        b"nul": yes + b"X-K: a\0%s\r\nContent-Length: 2\r\n\r\nok" % v,
        b"bare": yes + b"X-A: b\rX-K: %s\r\nContent-Length: 2\r\n\r\nok" % v,
        b"folded": yes + b"X-A: b\r\n %s\r\nContent-Length: 2\r\n\r\nok" % v,
        b"twice": PLAIN + PLAIN.replace(b"ok", v[:2]),
        b"chunk": yes + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + v,
        b"short": yes + b"Content-Length: 99\r\n\r\n" + v,
    }


class Service(socketserver.StreamRequestHandler):
    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            part = self.connection.recv(65536)
            if not part:
                return
            head += part
        path = head.split(b" ")[1]
        value = re.search(rb"(?i)\nauthorization: bearer (\S+)", head)
        value = value.group(1) if value else b"none"
        with open(LOG, "ab") as log:
            log.write(path + b"\n")
        self.wfile.write(answers(value).get(path.rsplit(b"/", 1)[1], PLAIN))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


server = Server(("127.0.0.1", 0), Service)
with open(PORTFILE + ".new", "w") as port:
    port.write(str(server.server_address[1]))
os.rename(PORTFILE + ".new", PORTFILE)
server.serve_forever()
