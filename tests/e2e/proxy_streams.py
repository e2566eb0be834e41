"""A service behind the proxy that reads and writes by the byte: long bodies,
early answers, trailers, parts, values where none belong.

    proxy_streams.py LOG PORTFILE

Writes what became of each request to LOG, one JSON object a line: "end" is
`whole` if its body came to the end that its framing says, else `cut`. Tells
its port in PORTFILE once it listens; with nginx there, PORTFILE.h2 has the port
of an HTTP/2 server in front of it, whose certificate is good-leaf.pem in the
folder of LOG.
"""
import hashlib
import json
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "common"))
import nginx

LOG, PORTFILE = sys.argv[1:3]
WHERE = os.path.dirname(os.path.abspath(LOG))
LOCK = threading.Lock()
PART = 256 * 1024
# Lines of a length that fits no block.
LINES = b"".join(b"%08d the quick brown fox\n" % i for i in range(PART // 27))


class Gone(Exception):
    """The client closed within a request."""


class Connection:
    def __init__(self, sock):
        self.sock, self.held = sock, b""

    def more(self):
        part = self.sock.recv(PART)
        if not part:
            raise Gone
        self.held += part

    def line(self):
        while b"\r\n" not in self.held:
            self.more()
        line, self.held = self.held.split(b"\r\n", 1)
        return line

    def some(self, left):
        if not self.held:
            self.more()
        part, self.held = self.held[:left], self.held[left:]
        return part

    def parts(self, size):
        while size > 0:
            part = self.some(size)
            size -= len(part)
            yield part

    def body(self):
        if b"transfer-encoding" in self.head:
            while (size := int(self.line(), 16)) > 0:
                yield from self.parts(size)
                self.line()
            while self.line():
                pass
        else:
            yield from self.parts(int(self.head.get(b"content-length", 0)))

    def read_body(self):
        count, digest, end = 0, hashlib.sha256(), "whole"
        try:
            for part in self.body():
                count += len(part)
                digest.update(part)
        except (Gone, OSError, ValueError):
            end = "cut"
        self.note(bytes=count, sha256=digest.hexdigest(), end=end)
        return count, end

    def note(self, **what):
        what["path"] = self.path
        what["protocol"] = self.head.get(b"x-protocol", b"").decode()
        what["auth"] = self.head.get(b"authorization", b"").decode()
        what["range"] = self.head.get(b"range", b"").decode()
        with LOCK, open(LOG, "a", encoding="ascii") as log:
            log.write(json.dumps(what) + "\n")

    def send(self, head, body=b""):
        self.sock.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" +
                          body)

    def answer(self):
        method, path = self.line().split(b" ")[:2]
        self.path, self.head = path.decode(), {}
        while line := self.line():
            name, _, value = line.partition(b":")
            self.head[name.lower()] = value.strip()
        what = self.path.split("?")[0].split("/")[1:]
        value = self.head.get(b"authorization", b"").split(b" ")[-1].decode()
        if what[0] == "early":
            status = what[1]
            self.send([f"HTTP/1.1 {status} Early", "Content-Length: 6"],
                      b"early\n")
            self.read_body()
            return status == "200"
        count, end = self.read_body()
        if end == "cut":
            raise Gone
        if what[0] == "source":
            self.source(what[1], int(what[2]))
        elif what[0] == "events":
            self.send(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked",
                       "Content-Type: text/event-stream"])
            for i in range(5):
                event = b"data: %d\n\n" % i
                self.sock.sendall(b"%x\r\n%s\r\n" % (len(event), event))
                time.sleep(0.2)
            self.sock.sendall(b"0\r\n\r\n")
        elif what[0] == "odd":
            self.odd(what[1], value)
        else:
            out = json.dumps({"method": method.decode(), "path": self.path,
                              "bytes": count, "auth": value}).encode() + b"\n"
            self.send(["HTTP/1.1 200 OK", f"Content-Length: {len(out)}"], out)
        return True

    def source(self, form, size):
        digest, left = hashlib.sha256(), size
        self.send(["HTTP/1.1 200 OK", f"Content-Length: {size}" if
                   form == "length" else "Transfer-Encoding: chunked"])
        while left > 0:
            part = LINES[:left]
            left -= len(part)
            digest.update(part)
            if form != "length":
                part = b"%x\r\n%s\r\n" % (len(part), part)
            self.sock.sendall(part)
        if form != "length":
            self.sock.sendall(b"0\r\n\r\n")
        self.note(sent=size, sha256=digest.hexdigest())

    def odd(self, form, value):
        plain = ["Content-Length: 3"]
        if form == "trailers":
            self.send(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked",
                       "Trailer: X-Trailer"],
                      f"3\r\nok\n\r\n0\r\nX-Trailer: {value}\r\n\r\n".encode())
            return
        head = {
            "name": ["HTTP/1.1 200 OK", f"X-{value}: 1"],
            "lower": ["HTTP/1.1 200 OK", f"x-{value.lower()}: 1"],
            "reason": [f"HTTP/1.1 200 {value}"],
            "coding": ["HTTP/1.1 200 OK", f"Content-Encoding: {value}"],
            "cookie": ["HTTP/1.1 200 OK", f"Set-Cookie: k={value}; Path=/"],
            "location": ["HTTP/1.1 302 Found",
                         f"Location: https://else.example/?k={value}"],
            "part": ["HTTP/1.1 206 Partial Content",
                     "Content-Range: bytes 0-2/9"],
            "beyond": ["HTTP/1.1 416 Range Not Satisfiable",
                       "Content-Range: bytes */9"],
        }[form]
        self.send(head + plain, b"ok\n")

    def serve(self):
        try:
            while self.answer():
                pass
        except (Gone, OSError):
            pass
        self.sock.close()


def write_port(name, port):
    with open(name + ".new", "w", encoding="ascii") as out:
        out.write(str(port))
    os.rename(name + ".new", name)


def start_front(plain):
    leaf = f"{WHERE}/good-leaf"
    port = nginx.free_port()
    if os.path.exists(f"{leaf}.pem") and nginx.start(
            WHERE, "nginx", nginx.front(port, plain, f"{leaf}.pem",
                                        f"{leaf}.key"), port):
        write_port(PORTFILE + ".h2", port)


listener = socket.create_server(("127.0.0.1", 0), backlog=128)
start_front(listener.getsockname()[1])
write_port(PORTFILE, listener.getsockname()[1])
while True:
    client, _ = listener.accept()
    threading.Thread(target=Connection(client).serve, daemon=True).start()
