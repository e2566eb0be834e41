"""What real clients call: a git repository, an npm package, events, a socket.

    client_service.py LOG PORTFILE CERT KEY DIR

Below /files it serves DIR to who gives a password (basic authentication);
/package is an npm package, for who has a token; /socket is a WebSocket that
echoes what it gets. Writes each request to LOG, one JSON object a line.
"""
import base64
import hashlib
import http.server
import json
import os
import ssl
import sys
import threading
import time

LOG, PORTFILE, CERT, KEY, DIR = sys.argv[1:6]
LOCK = threading.Lock()


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, body=b"", **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def files(self):
        if not (self.headers.get("Authorization") or "").startswith("Basic "):
            return self.reply(401, WWW_Authenticate='Basic realm="files"')
        path = os.path.normpath(DIR + self.path[len("/files"):].split("?")[0])
        if not path.startswith(DIR) or not os.path.isfile(path):
            return self.reply(404)
        with open(path, "rb") as file:
            return self.reply(200, file.read())

    def package(self):
        if not (self.headers.get("Authorization") or "").startswith("Bearer "):
            return self.reply(401)
        one = {"name": "package", "version": "1.2.3", "dist": {
            "tarball": "https://example.org/x.tgz", "shasum": "0" * 40}}
        return self.reply(200, json.dumps({
            "name": "package", "dist-tags": {"latest": "1.2.3"},
            "versions": {"1.2.3": one}}).encode(),
            Content_Type="application/json")

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for i in range(5):
            self.wfile.write(b"data: %d\n\n" % i)
            self.wfile.flush()
            time.sleep(0.2)
        self.close_connection = True

    def socket(self):
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

    def do_GET(self):
        with LOCK, open(LOG, "a") as log:
            log.write(json.dumps({"path": self.path,
                                  "head": self.headers.items()}) + "\n")
        first = self.path.split("?")[0].split("/")[1]
        known = {"files": self.files, "package": self.package,
                 "events": self.events, "socket": self.socket}
        return known.get(first, lambda: self.reply(404))()

    do_HEAD = do_GET


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERT, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(PORTFILE + ".new", "w") as port:
    port.write(str(server.server_port))
os.rename(PORTFILE + ".new", PORTFILE)
server.serve_forever()
