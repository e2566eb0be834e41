#!/usr/bin/python3
"""provider_service.py - AWS's IAM and STS, and GitHub's apps, on 127.0.0.1, as
far as rotators and minters talk to them.

    provider_service.py DIR [--while-stdin]

Prints READY and its port. Who asks is checked as the provider does: AWS's
signature is computed here anew, by its specification; a GitHub JWT is verified
by openssl against DIR/app.pub. DIR/mode holds one fault, "ACTION FAULT", taken by
the next call of that action, and then DIR/mode.next is the mode; DIR/calls gets one line per call, "ACTION STATUS".
/control/… is the scenarios': reset, keys, works, tokens.
"""
import base64
import datetime
import hashlib
import hmac
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WHERE = sys.argv[1]
LOCK = threading.Lock()
KEYS = {}      # id -> {secret, status, created}
SESSIONS = {}  # id -> {secret, token, expires, role, policy}
TOKENS = {}    # GitHub token -> {expires, repositories, permissions}
UNKNOWN = {"left": 0}


class Answer(Exception):
    def __init__(self, status, body, kind="text/xml"):
        super().__init__()
        self.status, self.body, self.kind = status, body, kind


def utc(seconds):
    return datetime.datetime.fromtimestamp(
        seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def aws_error(status, code):
    return Answer(status, "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n"
                  f"  <Error>\n    <Type>Sender</Type>\n    <Code>{code}</Code>\n"
                  "    <Message>said no &amp; why</Message>\n  </Error>\n"
                  "  <RequestId>7a62c49f</RequestId>\n</ErrorResponse>\n")


def aws_ok(action, result):
    return Answer(200, f"<?xml version=\"1.0\"?>\n<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n"
                  f"{result}\n  <ResponseMetadata><RequestId>7a62c49f</RequestId></ResponseMetadata>\n"
                  f"</{action}Response>\n")


# ---- AWS: who asks ----

def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def aws_signature(secret, method, path, query, headers, signed, body, date, scope):
    canonical = "\n".join([
        method, path, query,
        *[f"{n}:{' '.join(headers[n].split())}" for n in signed], "",
        ";".join(signed), hashlib.sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = mac(key, part)
    return mac(key, text).hex()


def aws_caller(handler, body, service, region):
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/([^,]+), SignedHeaders=([^,]+), "
        r"Signature=([0-9a-f]{64})", handler.headers.get("Authorization", ""))
    headers = {k.lower(): v for k, v in handler.headers.items()}
    if not found:
        raise aws_error(400, "IncompleteSignature")
    key_id, scope, names, signature = found.groups()
    signed, date = names.split(";"), headers.get("x-amz-date", "")
    if not {"host", "x-amz-date", "content-type"} <= set(signed) or signed != sorted(signed):
        raise aws_error(400, "IncompleteSignature")
    when = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(
        tzinfo=datetime.timezone.utc).timestamp()
    if abs(when - time.time()) > 900:
        raise aws_error(400, "RequestExpired")
    if scope != f"{date[:8]}/{region}/{service}/aws4_request":
        raise aws_error(403, "SignatureDoesNotMatch")
    with LOCK:
        key = KEYS.get(key_id) or SESSIONS.get(key_id)
        if not key or key.get("status", "Active") != "Active":
            raise aws_error(403, "InvalidClientTokenId")
        if "token" in key and headers.get("x-amz-security-token") != key["token"]:
            raise aws_error(403, "InvalidClientTokenId")
        if service == "sts" and key.get("new") and UNKNOWN["left"] > 0:
            UNKNOWN["left"] -= 1
            raise aws_error(403, "InvalidClientTokenId")
        secret = key["secret"]
    path, _, query = handler.path.partition("?")
    if not hmac.compare_digest(signature, aws_signature(
            secret, handler.command, path, query, headers, signed, body, date, scope)):
        raise aws_error(403, "SignatureDoesNotMatch")
    return key_id


# ---- AWS: what is asked ----

def new_key(fresh):
    key_id = "AKIA" + base64.b32encode(secrets.token_bytes(10)).decode()
    KEYS[key_id] = {"secret": base64.b64encode(secrets.token_bytes(30)).decode(),
                    "status": "Active", "created": time.time(), "new": fresh}
    return key_id


def list_keys(_caller, _form):
    rows = "".join(
        f"<member><UserName>ci</UserName><AccessKeyId>{i}</AccessKeyId><Status>{k['status']}</Status>"
        f"<CreateDate>{utc(k['created'])}</CreateDate></member>\n" for i, k in KEYS.items())
    return ("<ListAccessKeysResult><UserName>ci</UserName><AccessKeyMetadata>" + rows +
            "</AccessKeyMetadata><IsTruncated>false</IsTruncated></ListAccessKeysResult>")


def create_key(_caller, _form):
    if len(KEYS) >= 2:
        raise aws_error(409, "LimitExceeded")
    key_id = new_key(True)
    return ("<CreateAccessKeyResult><AccessKey><UserName>ci</UserName>"
            f"<AccessKeyId>{key_id}</AccessKeyId><Status>Active</Status>"
            f"<SecretAccessKey>{KEYS[key_id]['secret']}</SecretAccessKey>"
            f"<CreateDate>{utc(time.time())}</CreateDate></AccessKey></CreateAccessKeyResult>")


def update_key(_caller, form):
    if form["AccessKeyId"] not in KEYS:
        raise aws_error(404, "NoSuchEntity")
    KEYS[form["AccessKeyId"]]["status"] = form["Status"]
    return ""


def delete_key(_caller, form):
    if KEYS.pop(form["AccessKeyId"], None) is None:
        raise aws_error(404, "NoSuchEntity")
    return ""


def identity(_caller, _form):
    return ("<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ci</Arn>"
            "<UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult>")


def assume_role(_caller, form):
    seconds = int(form.get("DurationSeconds", "3600"))
    if not 900 <= seconds <= 43200 or not re.fullmatch(r"[\w+=,.@-]{2,64}", form.get("RoleSessionName", "")):
        raise aws_error(400, "ValidationError")
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", form.get("RoleArn", "")):
        raise aws_error(400, "ValidationError")
    if form["RoleArn"].endswith("/outside") and form.get("ExternalId") != "shared-42":
        raise aws_error(403, "AccessDenied")
    if "Policy" in form:
        try:
            json.loads(form["Policy"])
        except ValueError:
            raise aws_error(400, "MalformedPolicyDocument") from None
    key_id = "ASIA" + base64.b32encode(secrets.token_bytes(10)).decode()
    SESSIONS[key_id] = {"secret": base64.b64encode(secrets.token_bytes(30)).decode(),
                        "token": base64.b64encode(secrets.token_bytes(300)).decode(),
                        "expires": time.time() + seconds, "session": form["RoleSessionName"],
                        "role": form["RoleArn"], "policy": form.get("Policy", "")}
    s = SESSIONS[key_id]
    return ("<AssumeRoleResult><Credentials>"
            f"<AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>{s['secret']}</SecretAccessKey>"
            f"<SessionToken>{s['token']}</SessionToken><Expiration>{utc(s['expires'])}</Expiration>"
            f"</Credentials><AssumedRoleUser><Arn>{form['RoleArn']}/{s['session']}</Arn>"
            "<AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser></AssumeRoleResult>")


AWS = {"ListAccessKeys": ("iam", list_keys), "CreateAccessKey": ("iam", create_key),
       "UpdateAccessKey": ("iam", update_key), "DeleteAccessKey": ("iam", delete_key),
       "GetCallerIdentity": ("sts", identity), "AssumeRole": ("sts", assume_role)}


# ---- GitHub ----

def github(status, tree):
    return Answer(status, "" if tree is None else json.dumps(tree), "application/json; charset=utf-8")


def unpad(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def app_caller(handler):
    text = handler.headers.get("Authorization", "")
    parts = text.removeprefix("Bearer ").split(".")
    try:
        head, claims = json.loads(unpad(parts[0])), json.loads(unpad(parts[1]))
        with open(f"{WHERE}/signature", "wb") as out:
            out.write(unpad(parts[2]))
    except (IndexError, ValueError):
        raise github(401, {"message": "A JSON web token could not be decoded"}) from None
    said = subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", f"{WHERE}/app.pub", "-signature", f"{WHERE}/signature"],
        input=f"{parts[0]}.{parts[1]}".encode(), capture_output=True, check=False)
    now = time.time()
    if (said.returncode != 0 or head.get("alg") != "RS256" or str(claims.get("iss")) != "1234" or
            not claims["iat"] <= now or not now < claims["exp"] <= now + 600):
        raise github(401, {"message": "'Issuer' claim or signature is wrong"})


def mint_token(handler, body, installation):
    asked = json.loads(body or b"{}")
    if handler.headers.get("Accept") != "application/vnd.github+json" or not handler.headers.get("User-Agent"):
        raise github(403, {"message": "Request forbidden by administrative rules"})
    if installation != "77":
        raise github(404, {"message": "Not Found"})
    if not set(asked) <= {"repositories", "permissions"} or not set(asked.get("repositories", [])) <= {"site", "docs"}:
        raise github(422, {"message": "There is at least one repository that does not exist"})
    if not set(asked.get("permissions", {})) <= {"contents", "issues", "metadata"}:
        raise github(422, {"message": "The permissions requested are not granted to this installation"})
    token = "ghs_1234_" + ".".join(
        base64.urlsafe_b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (30, 210, 96))
    TOKENS[token] = {"expires": time.time() + 3600, "repositories": asked.get("repositories", []),
                     "permissions": asked.get("permissions", {"contents": "write"})}
    return github(201, {"token": token, "expires_at": utc(time.time() + 3600),
                        "permissions": TOKENS[token]["permissions"], "repository_selection": "selected"})


def token_caller(handler):
    scheme, _, token = handler.headers.get("Authorization", "").partition(" ")
    if scheme.lower() not in ("bearer", "token") or token not in TOKENS:
        raise github(401, {"message": "Bad credentials"})
    return token


# ---- the wire ----

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    limited = False

    def log_message(self, *_args):
        pass

    def give(self, answer):
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        if self.limited:
            self.send_header("X-RateLimit-Remaining", "0")
            self.limited = False
        if answer.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if answer.status != 204:
            self.wfile.write(body)

    def fault(self, action):
        path = f"{WHERE}/mode"
        with LOCK:
            try:
                with open(path, encoding="ascii") as f:
                    when, what = f.read().split()[:2]
            except (OSError, ValueError):
                return ""
            if when != action:
                return ""
            if os.path.exists(path + ".next"):
                os.rename(path + ".next", path)
            else:
                os.unlink(path)
            return what

    def act(self, action, work):
        """One call with its fault, before or after the effect."""
        fault = self.fault(action)
        if fault.startswith("unknown_"):
            UNKNOWN["left"] = int(fault[8:])
        if fault == "kill_before":
            self.kill()
        if fault == "drop_before":
            return self.drop()
        if fault == "refused":
            raise aws_error(403, "AccessDenied") if action in AWS else github(403, {"message": "no"})
        if fault == "throttled":
            raise aws_error(400, "Throttling") if action in AWS else github(429, {"message": "slow"})
        if fault == "limited":
            self.limited = True
            raise Answer(403, "{}", "text/plain")
        if fault in ("error_before", "busy"):
            raise Answer(500 if fault == "error_before" else 503, "upset", "text/plain")
        with LOCK:
            answer = work()
        if fault == "kill_after":
            self.kill()
        if fault == "hang":
            time.sleep(11)
        if fault in ("drop_after", "hang", "kill_after"):
            return self.drop()
        if fault == "error_after":
            raise Answer(500, "upset", "text/plain")
        if fault == "garbage":
            raise Answer(answer.status, "<html>it works!</html>", answer.kind)
        if fault == "cut":
            raise Answer(answer.status, answer.body[:len(answer.body) // 2], answer.kind)
        if fault in ("far", "past"):
            year = {"far": "9998", "past": "2001"}[fault]
            raise Answer(answer.status, re.sub(r'(expires_at": ?")\d{4}', r"\g<1>" + year, answer.body), answer.kind)
        if fault == "redirect":
            raise Answer(302, "", "text/plain")
        if fault == "flood":
            raise Answer(answer.status, answer.body + " " * 300000, answer.kind)
        return self.give(answer)

    def kill(self):
        with open(f"{WHERE}/broker", encoding="ascii") as f:
            os.kill(int(f.read()), signal.SIGKILL)

    def drop(self):
        self.close_connection = True

    def aws(self, body):
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        action = form.get("Action", "?")
        service, work = AWS[action]
        if form.get("Version") != {"iam": "2010-05-08", "sts": "2011-06-15"}[service]:
            raise aws_error(400, "InvalidAction")
        caller = aws_caller(self, body, service, "us-east-1")
        self.act(action, lambda: aws_ok(action, work(caller, form)))
        return action

    def control(self, what):
        with LOCK:
            if what == "reset":
                KEYS.clear()
                SESSIONS.clear()
                TOKENS.clear()
                UNKNOWN["left"] = 0
                key_id = new_key(False)
                KEYS[key_id]["created"] -= 86400
                tree = {"Version": 1, "AccessKeyId": key_id, "SecretAccessKey": KEYS[key_id]["secret"]}
            elif what == "second":
                key_id = new_key(False)
                KEYS[key_id]["created"] -= 3600
                tree = {"AccessKeyId": key_id}
            elif what == "age":  # all of GitHub's tokens end
                TOKENS.clear()
                tree = {}
            else:
                tree = {"keys": KEYS, "sessions": SESSIONS, "tokens": TOKENS}
            return Answer(200, json.dumps(tree), "application/json")

    def one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        action, status = "?", 0
        try:
            found = re.fullmatch(r"/api/v3/app/installations/(\d+)/access_tokens", self.path)
            if self.path.startswith("/control/"):
                return self.give(self.control(self.path[9:]))
            if self.command == "POST" and self.path == "/":
                action = self.aws(body)
            elif self.command == "POST" and found:
                action = "mint"
                app_caller(self)
                self.act("mint", lambda: mint_token(self, body, found.group(1)))
            elif self.command == "DELETE" and self.path == "/api/v3/installation/token":
                action = "revoke"
                token = token_caller(self)
                self.act("revoke", lambda: TOKENS.pop(token) and github(204, None))
            elif self.path == "/api/v3/rate_limit":
                action = "use"
                token_caller(self)
                self.give(github(200, {"rate": 5000}))
            else:
                raise github(404, {"message": "Not Found"})
        except Answer as answer:
            status = answer.status
            self.give(answer)
        with open(f"{WHERE}/calls", "a", encoding="ascii") as out:
            out.write(f"{action} {status}\n")
        return None

    do_GET = do_POST = do_DELETE = one


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print("READY", server.server_port, flush=True)
    if sys.argv[2:] == ["--while-stdin"]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()
    else:
        server.serve_forever()


main()
