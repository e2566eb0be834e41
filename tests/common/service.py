#!/usr/bin/python3
"""service.py - a service on 127.0.0.1 that behaves as its path says: well,
badly, slowly or not at all; with certificates of a CA it makes itself.

    service.py DIR

Prints one line `READY name=value …` when all is up: ports of `good` (TLS, for
localhost and *.service.test), `plain` (HTTP), `expired`, `wrong` (a
certificate for another name), `unknown` (another CA), `mute` (takes
connections, never says a word), `six` (`good` on ::1; 0 without IPv6), `h2` (nginx: HTTP/2 in front of `plain`; 0
where there is no nginx). DIR/ca.pem is the root. Ends when its standard input
does. Nothing waits for time: what must come later comes when /tick is asked.
"""
import hashlib
import itertools
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import urllib.parse

import nginx

PART = 64 * 1024
connections = itertools.count(1)
ticks = threading.Semaphore(0)


def openssl(cwd, *args):
    subprocess.run(["openssl", *args], cwd=cwd, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_ca(where, name):
    openssl(where, "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
            f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def make_leaf(where, ca, name, alt, days):
    with open(f"{where}/{name}.ext", "w", encoding="ascii") as ext:
        ext.write(f"subjectAltName={alt}\nextendedKeyUsage=serverAuth\n")
    openssl(where, "req", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    openssl(where, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem",
            "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", str(days),
            "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def make_certificates(where):
    names = ("DNS:localhost,DNS:other.localhost,DNS:*.service.test,"
             "IP:127.0.0.1,IP:::1")
    make_ca(where, "ca")
    make_ca(where, "other")
    make_leaf(where, "ca", "good", names, 30)
    make_leaf(where, "ca", "expired", names, -1)
    make_leaf(where, "ca", "wrong", "DNS:somebody.else", 30)
    make_leaf(where, "other", "unknown", names, 30)


class Gone(Exception):
    """The client closed, or is to be closed on."""


class Connection:
    """One client: reads heads and bodies, answers by path."""

    def __init__(self, sock):
        self.sock = sock
        self.number = next(connections)
        self.held = b""

    def more(self):
        part = self.sock.recv(PART)
        if not part:
            raise Gone
        return part

    def take(self, count):
        """Exactly count bytes, in parts."""
        while count > 0:
            part = self.held or self.more()
            self.held = part[count:]
            part = part[:count]
            count -= len(part)
            yield part

    def line(self):
        while b"\n" not in self.held:
            self.held += self.more()
            if self.held[0] == 0x16:  # TLS, where none is spoken
                raise Gone
        line, self.held = self.held.split(b"\n", 1)
        return line.rstrip(b"\r")

    def body(self):
        """The request's body in parts; sets self.trailers."""
        self.trailers = []
        if self.fields.get("expect", "").lower() == "100-continue":
            self.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in self.fields.get("transfer-encoding", ""):
            while (size := int(self.line().split(b";")[0], 16)) > 0:
                yield from self.take(size)
                self.line()
            while line := self.line():
                self.trailers.append(line.decode("latin-1"))
        else:
            yield from self.take(int(self.fields.get("content-length", 0)))

    def digest(self):
        total, digest = 0, hashlib.sha256()
        for part in self.body():
            total += len(part)
            digest.update(part)
        return total, digest.hexdigest()

    def say(self, data):
        self.sock.sendall(data)

    def answer(self, body=b"", status="200 OK", extra=()):
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *extra]
        self.say("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)

    def chunk(self, data):
        self.say(b"%x\r\n%s\r\n" % (len(data), data))

    def serve(self):
        while True:
            self.head = [self.line().decode("latin-1")]
            while line := self.line():
                self.head.append(line.decode("latin-1"))
            self.fields = {}
            for line in self.head[1:]:
                name, value = line.split(":", 1)
                self.fields[name.strip().lower()] = value.strip()
            target = self.head[0].split(" ")[1]
            path, _, query = target.partition("?")
            self.ask = dict(urllib.parse.parse_qsl(query))
            name = path.strip("/").split("/")[0].replace("-", "_") or "echo"
            getattr(self, "do_" + name, self.do_missing)()

    # ---- well ----

    def do_missing(self):
        self.digest()
        self.answer(b"no such path\n", "404 Not Found")

    def do_echo(self):
        total, digest = self.digest()
        self.answer(json.dumps({
            "head": self.head, "bytes": total, "sha256": digest,
            "trailers": self.trailers, "connection": self.number,
        }).encode(), extra=["Set-Cookie: a=1", "Set-Cookie: b=2",
                            "X-Empty:", "Content-Type: application/json"])

    def do_connection(self):
        self.digest()
        self.answer(b"%d" % self.number)

    def do_head(self):
        """What a HEAD gets, and answers that never have a body."""
        self.digest()
        status = self.ask.get("status", "204 No Content")
        self.say(f"HTTP/1.1 {status}\r\nX-Here: yes\r\n\r\n".encode())

    def do_dated(self):
        self.digest()
        self.answer(b"", extra=["Date: " + urllib.parse.unquote(self.ask["is"])])

    def do_redirect(self):
        self.digest()
        self.answer(b"", "302 Found", ["Location: /echo", "Alt-Svc: h2=\":1\""])

    def do_bytes(self):
        self.digest()
        left = int(self.ask["n"])
        self.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
        block = bytes(range(256)) * 1024
        while left > 0:
            self.say(block[:left])
            left -= len(block)

    def do_chunked(self):
        self.digest()
        self.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(int(self.ask["n"])):
            self.chunk(b"<%d>" % i)
        self.say(b"0\r\n\r\n")

    def do_until_close(self):
        self.digest()
        self.say(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end")
        raise Gone

    def do_gzip(self):
        self.digest()
        self.answer(b"\x1f\x8bnot really", extra=["Content-Encoding: gzip"])

    def do_trailers(self):
        self.digest()
        self.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                 b"Trailer: X-Sum\r\n\r\n")
        self.chunk(b"body")
        self.say(b"0\r\nX-Sum: 4\r\nX-Sum: again\r\n\r\n")

    def do_events(self):
        """Each event when the one before it was acknowledged by /tick."""
        self.digest()
        self.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n")
        for i in range(int(self.ask["n"])):
            self.chunk(b"data: %d\n\n" % i)
            ticks.acquire()
        self.say(b"0\r\n\r\n")

    def do_tick(self):
        self.digest()
        ticks.release()
        self.answer()

    def do_interim(self):
        self.digest()
        self.say(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        self.answer(b"after hints")

    def do_slow_read(self):
        """The body is read when /tick comes."""
        ticks.acquire()
        total, digest = self.digest()
        self.answer(f"{total} {digest}".encode())

    def do_upgrade(self):
        self.say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n"
                 b"Connection: Upgrade\r\n\r\nhello ")
        while True:
            part, self.held = self.held or self.more(), b""
            self.say(part.upper())
            if b"bye" in part:
                raise Gone

    def do_upgrade_refused(self):
        self.answer(b"not here", "426 Upgrade Required")

    # ---- badly ----

    def do_early(self):
        self.answer(b"no", "403 Forbidden", ["Connection: close"])
        raise Gone

    def do_expectation(self):
        self.answer(b"", "417 Expectation Failed")

    def do_silent(self):
        self.digest()
        self.more()

    def do_stall(self):
        self.digest()
        self.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
        self.more()

    def raw(self, data):
        self.digest()
        self.say(data)
        raise Gone

    def do_empty(self):
        self.raw(b"")

    def do_garbage(self):
        self.raw(b"SSH-2.0-OpenSSH_9.2\r\n")

    def do_cut_head(self):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Le")

    def do_cut_body(self):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")

    def do_cut_chunk(self):
        self.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"10\r\nsome")

    def do_folded(self):
        self.raw(b"HTTP/1.1 200 OK\r\nX-A: one\r\n two\r\n"
                 b"Content-Length: 0\r\n\r\n")

    def do_many_fields(self):
        self.raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 300 +
                 b"Content-Length: 0\r\n\r\n")

    def do_large_head(self):
        self.raw(b"HTTP/1.1 200 OK\r\n" + (b"X-A: " + b"b" * 90000 + b"\r\n") *
                 2 + b"Content-Length: 0\r\n\r\n")

    def do_switch(self):
        self.raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nraw")


def serve_one(sock, context):
    try:
        if context is not None:
            sock = context.wrap_socket(sock, server_side=True)
        with sock:
            Connection(sock).serve()
    except (OSError, Gone, ValueError):
        sock.close()


def accept_all(listener, context):
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve_one, args=(sock, context),
                         daemon=True).start()


def listen(context, address="127.0.0.1", family=socket.AF_INET):
    listener = socket.create_server((address, 0), backlog=256, family=family)
    threading.Thread(target=accept_all, args=(listener, context),
                     daemon=True).start()
    return listener.getsockname()[1]


def tls(where, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{where}/{name}.pem", f"{where}/{name}.key")
    return context


def start_front(where, plain):
    port = nginx.free_port()
    child = nginx.start(where, "nginx", nginx.front(
        port, plain, f"{where}/good.pem", f"{where}/good.key"), port)
    return (0, None) if child is None else (port, child)


def main():
    where = os.path.abspath(sys.argv[1])
    make_certificates(where)
    plain = listen(None)
    mute = socket.create_server(("127.0.0.1", 0), backlog=64)
    ports = {name: listen(tls(where, name))
             for name in ("good", "expired", "wrong", "unknown")}
    try:
        ports["six"] = listen(tls(where, "good"), "::1", socket.AF_INET6)
    except OSError:
        ports["six"] = 0
    h2, child = start_front(where, plain)
    ports.update(plain=plain, h2=h2, mute=mute.getsockname()[1])
    print("READY", *(f"{k}={v}" for k, v in ports.items()), flush=True)
    sys.stdin.read()
    if child is not None:
        child.kill()
        child.wait()
    os._exit(0)


if __name__ == "__main__":
    main()
