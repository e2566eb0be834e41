#!/usr/bin/python3
"""A service with OAuth logins, behind TLS: refresh tokens are good once.

    refresh_service.py DIR CERT KEY

DIR/refresh and DIR/access hold the tokens that are good at start. DIR gets port
(once it listens), log (one JSON object a line, never a token), canaries (every
token minted: keep DIR out of the leak search).

POST /oauth/token   refreshes; DIR/mode, one word, says how else it answers
GET|POST /api/…     401 unless the bearer is good; /api/hold answers late
POST /control/revoke  no access token is good any more, /control/ttl/S
"""
import base64
import http.server
import json
import os
import secrets
import ssl
import sys
import threading
import time

DIR, CERT, KEY = sys.argv[1:4]
LOCK = threading.Lock()


def read(name):
    try:
        with open(os.path.join(DIR, name), encoding="utf-8") as f:
            return f.read().strip()
    except FileNotFoundError:
        return ""


def append(name, text):
    fd = os.open(os.path.join(DIR, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(fd, "a", encoding="utf-8") as f:
        f.write(text + "\n")


def jwt(ttl):
    def part(obj):
        return base64.urlsafe_b64encode(json.dumps(obj).encode()).rstrip(b"=").decode()
    return ".".join([part({"alg": "RS256", "typ": "JWT"}),
                     part({"exp": int(time.time()) + ttl, "jti": secrets.token_hex(8)}),
                     secrets.token_urlsafe(192)])


class State:
    refresh = read("refresh")
    used = set()
    access = {read("access")} - {""}
    ttl = 3600


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, obj, head=()):
        data = obj if isinstance(obj, bytes) else json.dumps(obj).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in head:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def note(self, **row):
        append("log", json.dumps(row))

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            out = b""
            while True:
                size = int(self.rfile.readline(), 16)
                out += self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return out
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def mint(self):
        State.used.add(State.refresh)
        State.refresh = "rt_" + secrets.token_urlsafe(48)
        access = jwt(State.ttl)
        State.access = {access}
        append("canaries", access)
        append("canaries", State.refresh)
        return {"access_token": access, "refresh_token": State.refresh,
                "token_type": "Bearer", "expires_in": State.ttl}

    def token(self, body):
        mode = read("mode")
        sent = json.loads(body).get("refresh_token", "")
        if mode == "slow":
            time.sleep(1)
        if mode == "500":
            self.note(what="refresh", answer=500)
            return self.reply(500, {"error": "server_error"}, [("Retry-After", "2")])
        if mode == "garbage":
            self.note(what="refresh", answer="garbage")
            return self.reply(200, b"<html>not today</html>")
        if mode == "huge":
            self.note(what="refresh", answer="huge")
            return self.reply(200, {"pad": "x" * 300000})
        if mode == "spent":
            self.note(what="refresh", answer="spent")
            return self.reply(200, {"access_token": "not a token", "refresh_token": "x" * 70000})
        if mode == "cut":
            self.note(what="refresh", answer="cut")
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"access_token": "')
            self.wfile.flush()
            self.close_connection = True
            return None
        with LOCK:
            if sent != State.refresh or mode == "denied":
                code = "refresh_token_reused" if sent in State.used else "refresh_token_expired"
                self.note(what="refresh", answer=code)
                return self.reply(401, {"error": {"code": code}})
            answer = self.mint()
            self.note(what="refresh", answer="ok")
        if mode == "late":
            time.sleep(3)
        if mode == "lost":
            self.close_connection = True
            return None
        return self.reply(200, answer)

    def control(self):
        if self.path == "/control/revoke":
            State.access = set()
        elif self.path.startswith("/control/ttl/"):
            State.ttl = int(self.path.rsplit("/", 1)[1])
        self.reply(200, {})

    def answer(self):
        body = self.body()
        if self.path == "/oauth/token":
            return self.token(body)
        if self.path.startswith("/control/"):
            return self.control()
        bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        good = bearer in State.access
        self.note(what="api", path=self.path, good=good, bytes=len(body))
        if self.path.startswith("/api/hold") and good:
            time.sleep(30)
        return self.reply(200 if good else 401,
                          {"good": good, "bytes": len(body), "bearer": bearer})

    do_GET = do_POST = answer


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
server.daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERT, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(os.path.join(DIR, "port.new"), "w", encoding="utf-8") as port:
    port.write(str(server.server_port))
os.rename(os.path.join(DIR, "port.new"), os.path.join(DIR, "port"))
server.serve_forever()
