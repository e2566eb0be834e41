"""Requests that must not go out, from within a task: each is refused with its
own code and has a number that the service must never see.

    proxy_hostile.py [tcp|relay|unix|tls] [json]

By 127.0.0.1 (the broker's own, or the relay of an isolated task), by task.sock,
or in TLS that ends at the broker; `json`: bodies where the value's place is
their field /auth/key. API_URL and API_KEY are the service's address and the
placeholder.
"""
import base64
import json
import os
import re
import socket
import ssl
import sys

WAY = sys.argv[1] if len(sys.argv) > 1 else "tcp"
URL, KEY = os.environ["API_URL"], os.environ["API_KEY"]
HOST, PORT, BASE = re.match(r"https?://([^:]+):(\d+)(/.*)?$", URL).groups()
TASK, SERVICE = BASE.split("/")[2:4] if WAY != "tls" else ("", "")
BASE = BASE or ""
B64 = base64.b64encode(b"user:" + KEY.encode()).decode()
AUTH = f"Authorization: Bearer {KEY}"


def connect():
    if WAY == "unix":
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(os.environ["AUTH_GUARD_SOCKET"])
        return s
    if WAY != "tls":
        return socket.create_connection((HOST, int(PORT)), timeout=20)
    proxy = int(os.environ["HTTPS_PROXY"].split(":")[-1])
    s = socket.create_connection(("127.0.0.1", proxy), timeout=20)
    s.sendall(f"CONNECT {HOST}:{PORT} HTTP/1.1\r\n\r\n".encode())
    head = s.recv(4096)
    assert b" 200 " in head, head
    return CONTEXT.wrap_socket(s, server_hostname=HOST)


CONTEXT = ssl.create_default_context() if WAY == "tls" else None


def exchange(raw):
    """The status and code of what comes back; 0 when nothing does."""
    with connect() as s:
        s.sendall(raw if isinstance(raw, bytes) else raw.encode("latin-1"))
        data = b""
        while b"\r\n\r\n" not in data:
            part = s.recv(65536)
            if not part:
                break
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        while length and len(body) < int(length.group(1)):
            part = s.recv(65536)
            if not part:
                break
            body += part
    status = int(head.split(b" ")[1]) if head else 0
    try:
        return status, json.loads(body).get("code", "")
    except ValueError:
        return status, ""


def request(path, *lines, method="GET", host=f"{HOST}:{PORT}", body="",
            version="HTTP/1.1"):
    head = [f"{method} {path} {version}"]
    if host is not None:
        head.append(f"Host: {host}")
    return "\r\n".join([*head, *lines]) + "\r\n\r\n" + body


def chunked(body, *lines, path="/chunks"):
    return request(BASE + path, AUTH, *lines, "Transfer-Encoding: chunked",
                   method="POST", body=body)


CASES = []


def case(code, raw):
    CASES.append((code, raw))


def json_cases():
    def body(code, text, *lines, kind="application/json"):
        text = text if isinstance(text, bytes) else text.encode()
        lines = (f"Content-Type: {kind}", f"Content-Length: {len(text)}", *lines)
        case(code, request(BASE + "/json", *lines, method="POST").encode() + text)
    good = '{"auth": {"key": "%s"}}' % KEY
    for text in ("", "{}", "[]", "null", '{"auth": {"key": "other"}}', '{"auth": {"key": 1}}',
                 '{"auth": {"key": null}}', '{"auth": "key"}', '{"auth": {"key": ""}}',
                 '{"auth/key": "x"}', good.encode("utf-16"), good.encode("utf-32"),
                 base64.b64encode(good.encode()), '{"auth": {"key": {"key": "x"}}}'):
        body("credential_missing", text)
    body("limit", good[:-1] + ', "x": "%s"}' % ("x" * 70000))
    # These count: few.
    body("wrong_place", good, kind="text/plain")
    body("wrong_place", good + good)
    body("wrong_place", "\ufeff" + good)
    body("wrong_place", good[:-1])
    body("wrong_place", '{"auth": {"key": "x", "key": "%s"}}' % KEY)
    body("wrong_place", '{"auth": {"key": "%s"}, "log": "%s"}' % (KEY, KEY))
    body("wrong_place", '{"auth": {"other": "%s"}}' % KEY)
    body("wrong_place", good, AUTH)


# Whose, and where to.
def addressed():
    for path in ("/t", "/t/", "/p", "/p/", "/t/x/s/a", "/t/0/s/a", "/t/-1/s/a",
                 "/t//s/a", f"/t/{TASK}", f"/t/{TASK}/", "/t/99999999999999999999/s",
                 f"/t/0{TASK}/{SERVICE}/a", f"/t/+{TASK}/{SERVICE}/a", "/p//a",
                 f"/T/{TASK}/{SERVICE}/a", f"//t/{TASK}/{SERVICE}/a",
                 f"/P/{SERVICE}/a"):
        case(("invalid", "not_found"), request(path, AUTH))
    case("wrong_process", request(f"/t/{int(TASK) + 1}/{SERVICE}/a", AUTH))
    for name in ("evil.example", "169.254.169.254", "127.0.0.1", "127.0.0.1:1",
                 "localhost", SERVICE + "0", SERVICE + ".", "0x7f000001",
                 SERVICE + "@evil.example", "evil.example@" + SERVICE, "..", ".",
                 SERVICE.replace(":", "%3a"), SERVICE + "%2f", SERVICE + "%23",
                 "127.0.0.1:" + PORT, SERVICE.replace(":", ":0"), "%31" + SERVICE[1:]):
        case("unknown_service", request(f"/p/{name}/a"))


def cases():
    # The path has one reading.
    for bad in ("/a%2fb", "/a%2Fb", "/%2e%2e/b", "/a/%2e", "/a/../b", "/a/./b",
                "/..", "/.", "/a/..", "/a//b", "//a", "/a%5cb", "/a;b", "/a%3bb",
                "/a%25b", "/%252e%252e/b", "/a%0d%0ab", "/a%0ab", "/a%09b", "/a%7fb",
                "/a%2e", "/a%2f%2e%2e%2fb", "/..;/b", "/a/%2e%2e;x/b", "/%2E%2E/b",
                "/.%2e/b", "/%2f", "/a%1fb", "/%c0%ae%c0%ae/b", "/%c0%afb", "/%C1%9cb",
                "/%e0%80%afb", "/%f0%80%80%afb", "/%25%32%66b", "/a/..%2fb"):
        case("path_refused", request(BASE + bad, AUTH))
    # The strict layer: framing that two readers could read differently.
    for lines in (("Content-Length: 3", "Content-Length: 4"),
                  ("Content-Length: 3", "Content-Length: 3"),
                  ("Content-Length: +3",), ("Content-Length: 3,3",),
                  ("Content-Length: 0x3",), ("Content-Length: 03",),
                  ("Content-Length: -1",), ("Content-Length:",),
                  ("Content-Length: 3 ",), ("Content-Length: 3\t",),
                  ("Content-Length: 3;a",), ("Content-Length: 1e1",),
                  ("Content-Length: 9999999999999999999999",), (": 3",), ("X",),
                  ("X\x80: a",), ("X: a\x7f",), ("Expect: 100-continue, x",),
                  ("Content-Length: 3", "Transfer-Encoding: chunked"),
                  ("Transfer-Encoding: chunked", "Content-Length: 3"),
                  ("Content-Length : 3",), (" Content-Length: 3",),
                  ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
                  ("X: a\rb",), ("X: a\nb",), ("X: a\0b",), ("X\0: a",), ("X\t: a",),
                  ("Transfer-Encoding:chunked", "transfer-encoding: chunked"),
                  ("Content-Length: 3", "Transfer-Encoding: Chunked"),
                  ("X Y: a",), ("X:\ta", "\tb"), ("Expect: 200-ok",),
                  ("Host: evil.example",), ("Authorization: Bearer a",),
                  ("X-Vault-Token: a",)):
        case("bad_request", request(BASE + "/frame", AUTH, *lines, method="POST",
                                    body="abc"))
    for coding in ("gzip", "chunked, chunked", "gzip, chunked", "identity",
                   "xchunked", "chunked;q=1", "chunked, identity", "\"chunked\"", "chunked,", "", "\x0bchunked"):
        code = "bad_request" if coding.startswith("\x0b") else "length_required"
        case(code, chunked("", path="/te").replace("Transfer-Encoding: chunked",
                                                   "Transfer-Encoding: " + coding))
    for body in ("3;x=1\r\nabc\r\n0\r\n\r\n", "3\nabc\n0\n\n", "g\r\n", "-1\r\n",
                 "0x3\r\nabc\r\n", " 3\r\nabc\r\n", "3 \r\nabc\r\n",
                 "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc0\r\n\r\n",
                 "123456789\r\n", "\r\n", "0\r\nX: trailer\r\n\r\n",
                 "3\r\nabc\r\n0\r\nEvil: 1\r\n\r\n", "3\r\nab\r\n0\r\n\r\n",
                 "3\rabc\r\n0\r\n\r\n", "+3\r\nabc\r\n", "3_0\r\n", "ffffffffffffffff\r\n",
                 "3\tx\r\nabc\r\n", "3\r\nabc\r\n0\r\n\n", ";\r\n", "3\0\r\nabc\r\n"):
        case("bad_request", chunked(body))
    for raw in (request(BASE + "/v", AUTH, version="HTTP/1.0"),
                request(BASE + "/v", AUTH, version="HTTP/2.0"),
                request(BASE + "/v", AUTH, version="http/1.1"),
                request(BASE + "/v", AUTH).replace("\r\n", "\n"),
                "\r\n" + request(BASE + "/v", AUTH),
                request(BASE + "/v", AUTH, host=None),
                request("http://evil.example" + BASE, AUTH),
                request("*", AUTH), request("evil", AUTH),
                request(BASE + "/a b", AUTH), request(BASE + "/a%", AUTH),
                request(BASE + "/a%g0", AUTH), request(BASE + "/a%00", AUTH),
                request(BASE + "/a\\b", AUTH), request(BASE + "/\xe4", AUTH),
                request(BASE + "/#f", AUTH), request(BASE + "/a?b#c", AUTH),
                request(BASE + "/a?b%00", AUTH), request(BASE + "/%u002e", AUTH),
                request(BASE + "/a\x7fb", AUTH), request(BASE + "/a\tb", AUTH),
                request(BASE + "/a?b\"c", AUTH), request(BASE + "/{a}", AUTH),
                request(f"http://a@{HOST}:{PORT}{BASE}/v", AUTH),
                request(f"https://{HOST}:{PORT}{BASE}/v", AUTH),
                request(f"{HOST}:{PORT}{BASE}/v", AUTH),
                request(BASE + "/v", AUTH, method="GE T"),
                request(BASE + "/v", AUTH, method="G\xcbT"),
                request(BASE + "/v", AUTH, method=""),
                request(BASE + "/v", AUTH, method="A" * 40),
                request(BASE + "/v", AUTH, version="HTTP/1.1 "),
                request(BASE + "/v", AUTH, version="HTTP/11"),
                request(BASE + "/v", AUTH, host="a/b"), request(BASE + "/v", AUTH, host="a@b"),
                request(BASE + "/v", AUTH, host=""), request(BASE + "/v", AUTH, host="a\x80"),
                "GET " + BASE + "/v\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                "\x16\x03\x01\x00\xff\x01\x00\x00",
                request(BASE + "/g", AUTH, "Content-Length: 3", body="abc"),
                request(BASE + "/g", AUTH, "Transfer-Encoding: chunked",
                        body="0\r\n\r\n")):
        case("bad_request", raw)
    case("method_not_allowed", request("evil.example:443", method="CONNECT"))
    case("method_not_allowed", request(BASE + "/c", AUTH, method="CONNECT"))
    # DNS rebinding and other names for this machine. On task.sock, where the relay
    # leads too, no name is better than another.
    for host in ("evil.example", f"evil.example:{PORT}", "127.0.0.1", "localhost",
                 f"127.0.0.1:{int(PORT) + 1}", f"127.0.0.2:{PORT}",
                 f"[::1]:{PORT}", f"0.0.0.0:{PORT}", f"localhost.:{PORT}",
                 f"2130706433:{PORT}", f"127.1:{PORT}", f"0x7f000001:{PORT}",
                 f"127.0.0.1:0{PORT}"):
        if WAY in ("tcp", "tls"):
            case("denied" if WAY == "tcp" else "bad_request",
                 request(BASE + "/host", AUTH, host=host))
    # Too much.
    case("head_too_large", request(BASE + "/" + "a" * 5000, AUTH))
    case("head_too_large", request(BASE + "/h", AUTH, "X: " + "a" * 17000))
    case("head_too_large", request(BASE + "/h", AUTH, *["X: a"] * 70))
    case("head_too_large", request(BASE + "/h", AUTH, "X" * 70 + ": a"))
    if WAY != "tls":
        addressed()
    # The placeholder where no value belongs. (These count: few.)
    for lines in ((f"X-Key: {KEY}",), (f"Cookie: k={KEY}",),
                  (f"Authorization: Basic {B64}",),
                  (AUTH, f"X-Key: {KEY}"), (f"Authorization: Token {KEY}",)):
        case("wrong_place", request(BASE + "/place", *lines))
    case("wrong_place", request(BASE + f"/place?key={KEY}"))
    case("wrong_place", request(BASE + f"/place/{KEY}"))


json_cases() if "json" in sys.argv else cases()
failed = 0
for number, (code, raw) in enumerate(CASES):
    status, got = exchange(raw)
    if got not in ((code,) if isinstance(code, str) else code) or status < 400:
        failed += 1
        print(f"case {number}: {status} {got!r}, not {code!r}: {raw[:120]!r}")
print(f"{len(CASES)} cases, {failed} failed")
sys.exit(1 if failed else 0)
