#!/usr/bin/python3
"""mock_service.py - the service behind the Codex CLI, on 127.0.0.1.

Answers POST …/responses by server-sent events and asks for shell commands as
tool calls, one per turn, then closes with a message; answers /oauth/token
with rotating refresh tokens, a used one being refused for good. Only the
standard library.

A ChatGPT login needs a custom provider with requires_openai_auth: the built-in
one sends requests to the HTTPS origin that accounts/check names, whatever
openai_base_url says (Codex 0.169.0).

    mock_service.py --dir DIR [--calls FILE] [--access-ttl S] [--tls CERT KEY]
                    [--echo] [--say TEXT] [--parts FILE]

TEXT is the last message instead of "all done". With --echo every answer says what the Authorization header was, in several
spellings; …/echo always does. With --parts the last message ends in what FILE holds, and is streamed
a few bytes at a time.

DIR/revoked names bearers (SHA-256) that are refused from now on; while DIR/hold
is there no answer of the model begins.

DIR gets: port (one line), requests.jsonl (path, SHA-256 of the bearer, sizes:
never a value), outputs.jsonl (what tool calls answered: test data, the scenario
looks for its canaries there on purpose), and canaries (every token minted: the
leak search reads it; keep DIR out of the search). FILE has one shell command
per line. DIR/refresh holds the one refresh token that is good at start.
"""
import argparse
import base64
import hashlib
import http.server
import json
import os
import secrets
import ssl
import threading
import time
import urllib.parse


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_jwt(claims):
    head = b64url(json.dumps({"alg": "RS256", "typ": "JWT"}).encode())
    body = b64url(json.dumps(claims).encode())
    return f"{head}.{body}.{b64url(secrets.token_bytes(256))}"


def login_claims(ttl_s, account):
    return {
        "exp": int(time.time()) + ttl_s,
        "iat": int(time.time()),
        "email": "someone@example.invalid",
        "https://api.openai.com/auth": {
            "chatgpt_account_id": account,
            "chatgpt_plan_type": "pro",
            "chatgpt_user_id": "user-e2e",
            "user_id": "user-e2e",
        },
        "jti": secrets.token_hex(8),
    }


class State:
    def __init__(self, args):
        self.dir = args.dir
        self.access_ttl = args.access_ttl
        self.account = args.account
        self.lock = threading.Lock()
        self.calls = []
        if args.calls:
            with open(args.calls, encoding="utf-8") as f:
                self.calls = [line.rstrip("\n") for line in f if line.strip()]
        self.echo = args.echo
        self.say = args.say
        self.parts = None
        if args.parts:
            with open(args.parts, encoding="utf-8") as f:
                self.parts = f.read()
        self.good_refresh = None
        path = os.path.join(self.dir, "refresh")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                self.good_refresh = f.read().strip()
        self.used_refresh = set()

    def note(self, name, row):
        with self.lock:
            path = os.path.join(self.dir, name)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(fd, "a", encoding="utf-8") as f:
                f.write(row + "\n")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = None

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                part = self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return b"".join(parts)
                parts.append(part)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, status, obj):
        data = json.dumps(obj).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        # One write: Codex's WebSocket client gives up on a head without a body.
        self._headers_buffer.append(b"\r\n" + data)
        self.flush_headers()

    def is_revoked(self):
        word = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            with open(os.path.join(self.state.dir, "revoked"), "r") as f:
                return hashlib.sha256(word.encode()).hexdigest() in f.read()
        except OSError:
            return False

    def hold(self):
        path = os.path.join(self.state.dir, "hold")
        for _ in range(600):
            if not os.path.exists(path):
                return
            time.sleep(0.1)

    def spellings(self):
        """What the caller sent, as careless services repeat it."""
        sent = self.headers.get("Authorization", "")
        word = sent.split(" ")[-1].encode()
        return " ".join([sent, word.hex(), base64.b64encode(word).decode(),
                         b64url(word), urllib.parse.quote(sent, safe="")])

    def record(self, size):
        bearer = self.headers.get("Authorization", "")
        row = {
            "at": time.time(),
            "method": self.command,
            "path": self.path,
            "bytes": size,
            "bearer_sha256": hashlib.sha256(
                bearer.removeprefix("Bearer ").encode()).hexdigest()
            if bearer else None,
            "encoding": self.headers.get("Content-Encoding"),
        }
        self.state.note("requests.jsonl", json.dumps(row))

    def do_GET(self):
        self.record(0)
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.reply(426, {"error": {"message": "use HTTPS"}})
        elif self.path.split("?")[0].endswith("/echo"):
            self.reply(200, {"echo": self.spellings()})
        elif self.path.split("?")[0].endswith("/models"):
            self.reply(200, {"models": [], "data": [], "object": "list"})
        elif self.path.endswith("/wham/accounts/check"):
            self.reply(200, {"accounts": [{"id": self.state.account}],
                             "account_ordering": [self.state.account]})
        else:
            self.reply(404, {"error": {"message": "no such thing"}})

    def do_POST(self):
        data = self.body()
        self.record(len(data))
        path = self.path.split("?")[0]
        if path.endswith("/responses") and self.is_revoked():
            self.reply(401, {"error": {"message": "sign in again"}})
        elif path.endswith("/responses"):
            self.hold()
            self.answer(json.loads(data))
        elif path == "/oauth/token":
            self.token(json.loads(data))
        elif path == "/oauth/revoke":
            self.reply(200, {})
        else:
            self.reply(200, {})

    def token(self, ask):
        s = self.state
        given = ask.get("refresh_token", "")
        with s.lock:
            if given != s.good_refresh:
                code = ("refresh_token_reused" if given in s.used_refresh
                        else "refresh_token_invalidated")
                fresh = None
            else:
                s.used_refresh.add(given)
                fresh = s.good_refresh = "rt_" + secrets.token_urlsafe(48)
        if fresh is None:
            s.note("refreshes", "refused " + code)
            self.reply(401, {"error": {"code": code, "message": code}})
            return
        access = make_jwt(login_claims(s.access_ttl, s.account))
        ident = make_jwt(login_claims(3600, s.account))
        s.note("canaries", fresh)
        s.note("canaries", access)
        s.note("refreshes", "granted")
        self.reply(200, {"id_token": ident, "access_token": access,
                         "refresh_token": fresh})

    def answer(self, ask):
        s = self.state
        if os.path.exists(os.path.join(s.dir, "keep-requests")):
            s.note("bodies.jsonl", json.dumps(ask))
        done = [i for i in ask.get("input", [])
                if i.get("type", "").endswith("call_output")]
        for item in done[-1:]:
            s.note("outputs.jsonl", json.dumps(item))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        rid = "resp_" + secrets.token_hex(8)
        self.event("response.created", {"response": {"id": rid}})
        if len(done) < len(s.calls):
            item = self.call_item(ask, s.calls[len(done)])
        else:
            text = s.say
            if s.echo:
                text += " " + self.spellings()
                self.event("response.output_text.delta", {"delta": text})
            mid = "msg_" + secrets.token_hex(8)
            if s.parts:
                text += ": " + s.parts
                self.stream(mid, text)
            item = {"type": "message", "role": "assistant", "id": mid,
                    "content": [{"type": "output_text", "text": text}]}
        self.event("response.output_item.done", {"item": item})
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2,
                 "input_tokens_details": None, "output_tokens_details": None}
        self.event("response.completed", {"response": {"id": rid,
                                                       "usage": usage}})
        self.close_connection = True

    def stream(self, mid, text):
        """The message as services send it: begun, then in parts."""
        self.event("response.output_item.added", {
            "output_index": 0,
            "item": {"type": "message", "role": "assistant", "id": mid,
                     "content": []}})
        for i in range(0, len(text), 5):
            self.event("response.output_text.delta", {
                "item_id": mid, "output_index": 0, "content_index": 0,
                "delta": text[i:i + 5]})

    @staticmethod
    def call_item(ask, command):
        names = {t.get("name") or t.get("type")
                 for t in ask.get("tools") or []}
        if any(i.get("type") == "additional_tools" for i in ask["input"]):
            # Newest models get one JavaScript tool that calls the others.
            script = ("const r = await tools.exec_command("
                      + json.dumps({"cmd": command, "yield_time_ms": 20000})
                      + "); text(r.output ?? r);")
            return {"type": "custom_tool_call", "name": "exec",
                    "call_id": "call_" + secrets.token_hex(8),
                    "input": script}
        if "exec_command" in names:
            name, args = "exec_command", {"cmd": command,
                                          "yield_time_ms": 10000}
        elif "shell_command" in names:
            name, args = "shell_command", {"command": command}
        else:
            name, args = "shell", {"command": ["sh", "-c", command]}
        return {"type": "function_call", "name": name,
                "call_id": "call_" + secrets.token_hex(8),
                "arguments": json.dumps(args)}

    def event(self, kind, data):
        data["type"] = kind
        self.wfile.write(f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--dir", required=True)
    p.add_argument("--calls")
    p.add_argument("--access-ttl", type=int, default=3600)
    p.add_argument("--account", default="acct-e2e")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--tls", nargs=2)
    p.add_argument("--echo", action="store_true")
    p.add_argument("--say", default="all done")
    p.add_argument("--parts")
    args = p.parse_args()
    Handler.state = State(args)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", args.port), Handler)
    server.daemon_threads = True
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*args.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    tmp = os.path.join(args.dir, "port.tmp")
    with open(tmp, "w", encoding="utf-8") as f:
        f.write(f"{server.server_address[1]}\n")
    os.rename(tmp, os.path.join(args.dir, "port"))
    server.serve_forever()


if __name__ == "__main__":
    main()
