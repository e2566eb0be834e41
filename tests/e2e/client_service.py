"""What real clients call: git repositories, an npm registry, events, a socket.

    client_service.py LOG PORTFILE CERT KEY DIR VALUEFILE

Serves nobody who does not show the value in VALUEFILE, and says it back where
such services have room for it. /git has the repositories below DIR, by git's
own http-backend, and /files the same as plain files, both for the value as a
password (basic authentication); /package is an npm package with a tarball at
this very host, /events a stream of five; /socket is a WebSocket that echoes
what it gets. Anything else is proxy_service.py's, and so is LOG.
"""
import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import urllib.parse

from proxy_service import Service, serve

DIR = sys.argv[5]
with open(sys.argv[6], encoding="ascii") as file:
    VALUE = file.read().strip()


def tarball():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in (
                ("package.json", '{"name": "package", "version": "1.2.3"}'),
                ("index.js", 'module.exports = "it is installed";\n')):
            member = tarfile.TarInfo("package/" + name)
            member.size = len(text)
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


TARBALL = tarball()


class Clients(Service):
    wbufsize = 0  # frames of a WebSocket have no end to be flushed at

    def reply(self, status, body=b"", **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def has_password(self):
        kind, _, word = self.auth.partition(" ")
        return kind == "Basic" and \
            base64.b64decode(word).decode().endswith(":" + VALUE)

    def ask_password(self):
        self.reply(401, WWW_Authenticate='Basic realm="files"')

    def files(self, _):
        path = os.path.normpath(DIR + self.where[len("/files"):])
        if not self.has_password():
            return self.ask_password()
        if not path.startswith(DIR) or not os.path.isfile(path):
            return self.reply(404)
        with open(path, "rb") as kept:
            return self.reply(200, kept.read())

    def git(self, body):
        if not self.has_password():
            return self.ask_password()
        done = subprocess.run(["git", "http-backend"], input=body, check=True,
                              stdout=subprocess.PIPE, env={
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": DIR,
            "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "bot",
            "REMOTE_ADDR": "127.0.0.1", "REQUEST_METHOD": self.command,
            "PATH_INFO": self.where[len("/git"):],
            "QUERY_STRING": self.path.partition("?")[2],
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING":
                self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}).stdout
        head, _, rest = done.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1)
                      for line in head.decode().split("\r\n"))
        status = int(fields.pop("Status", "200").split(" ")[0])
        return self.reply(status, rest, X_Echo=self.auth, **fields)

    def package(self, _):
        if self.auth != "Bearer " + VALUE:
            return self.reply(401)
        if self.where.endswith(".tgz"):
            return self.reply(200, TARBALL, X_Echo=self.auth)
        one = {"name": "package", "version": "1.2.3", "description": self.auth,
               "dist": {"shasum": hashlib.sha1(TARBALL).hexdigest(),
                        "tarball": f"https://{self.headers['Host']}"
                                   "/package/-/package-1.2.3.tgz"}}
        return self.reply(200, json.dumps({
            "name": "package", "dist-tags": {"latest": "1.2.3"},
            "versions": {"1.2.3": one}}).encode(),
            Content_Type="application/json")

    def five_events(self, _):
        if self.auth != "Bearer " + VALUE:
            return self.reply(401)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for i in range(5):
            self.wfile.write(b"data: %d %s\n\n" % (i, self.auth.encode()))
            self.wfile.flush()
            time.sleep(0.2)
        self.close_connection = True
        return None

    def socket(self, _):
        key = self.headers["Sec-WebSocket-Key"].encode()
        accept = base64.b64encode(hashlib.sha1(
            key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept.decode())
        self.end_headers()
        while part := self.connection.recv(4096):
            self.connection.sendall(part)
        self.close_connection = True

    def answer(self):
        self.where = urllib.parse.unquote(self.path.partition("?")[0])
        self.auth = self.headers.get("Authorization") or ""
        known = {"files": self.files, "git": self.git,
                 "package": self.package, "events": self.five_events,
                 "socket": self.socket}
        mine = known.get(self.where.split("/")[1])
        if mine is None:
            return super().answer()
        body = b"".join(self.body())
        self.note(len(body), "")
        return mine(body)

    do_GET = do_POST = do_PUT = do_HEAD = answer


serve(Clients)
