"""Requests that must not go out, from within a task: each is refused with its
own code and has a number that the service must never see.

    proxy_hostile.py      URL and KEY are the address and the placeholder
"""
import base64
import json
import os
import re
import socket
import sys

URL, KEY = os.environ["API_URL"], os.environ["API_KEY"]
OTHER_URL = os.environ.get("OTHER_URL", "")
HOST, PORT, BASE = re.match(r"http://([^:]+):(\d+)(/.*)", URL).groups()
TASK, SERVICE = BASE.split("/")[2:4]
B64 = base64.b64encode(b"user:" + KEY.encode()).decode()
AUTH = f"Authorization: Bearer {KEY}"


def exchange(raw, port=int(PORT)):
    """The status and code of what comes back; 0 when nothing does."""
    with socket.create_connection((HOST, port), timeout=20) as s:
        s.sendall(raw if isinstance(raw, bytes) else raw.encode("latin-1"))
        s.shutdown(socket.SHUT_WR) if raw.endswith(("\0",)) else None
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


# The path has one reading.
for bad in ("/a%2fb", "/a%2Fb", "/%2e%2e/b", "/a/%2e", "/a/../b", "/a/./b",
            "/..", "/.", "/a/..", "/a//b", "//a", "/a%5cb", "/a;b", "/a%3bb",
            "/a%25b", "/%252e%252e/b", "/a%0d%0ab", "/a%0ab", "/a%09b", "/a%7fb",
            "/a%2e", "/a%2f%2e%2e%2fb"):
    case("path_refused", request(BASE + bad, AUTH))
# The strict layer: framing that two readers could read differently.
for lines in (("Content-Length: 3", "Content-Length: 4"),
              ("Content-Length: 3", "Content-Length: 3"),
              ("Content-Length: +3",), ("Content-Length: 3,3",),
              ("Content-Length: 0x3",), ("Content-Length: 03",),
              ("Content-Length: -1",), ("Content-Length:",),
              ("Content-Length: 3", "Transfer-Encoding: chunked"),
              ("Transfer-Encoding: chunked", "Content-Length: 3"),
              ("Content-Length : 3",), (" Content-Length: 3",),
              ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
              ("X: a\rb",), ("X: a\nb",), ("X: a\0b",), ("X\0: a",),
              ("X Y: a",), ("X:\ta", "\tb"), ("Expect: 200-ok",),
              ("Host: evil.example",), ("Authorization: Bearer a",),
              ("X-Vault-Token: a",)):
    case("bad_request", request(BASE + "/frame", AUTH, *lines, method="POST",
                                body="abc"))
for coding in ("gzip", "chunked, chunked", "gzip, chunked", "identity",
               "xchunked", "chunked;q=1", "\x0bchunked"):
    code = "bad_request" if coding[0] < " " else "length_required"
    case(code, chunked("", path="/te").replace("Transfer-Encoding: chunked",
                                               "Transfer-Encoding: " + coding))
for body in ("3;x=1\r\nabc\r\n0\r\n\r\n", "3\nabc\n0\n\n", "g\r\n", "-1\r\n",
             "0x3\r\nabc\r\n", " 3\r\nabc\r\n", "3 \r\nabc\r\n",
             "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc0\r\n\r\n",
             "123456789\r\n", "\r\n", "0\r\nX: trailer\r\n\r\n",
             "3\r\nabc\r\n0\r\nEvil: 1\r\n\r\n"):
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
            request(BASE + "/#f", AUTH),
            request(BASE + "/g", AUTH, "Content-Length: 3", body="abc"),
            request(BASE + "/g", AUTH, "Transfer-Encoding: chunked",
                    body="0\r\n\r\n")):
    case("bad_request", raw)
case("method_not_allowed", request("evil.example:443", method="CONNECT"))
case("method_not_allowed", request(BASE + "/c", AUTH, method="CONNECT"))
# DNS rebinding and other names for this machine.
for host in ("evil.example", f"evil.example:{PORT}", "127.0.0.1", "localhost",
             f"127.0.0.1:{int(PORT) + 1}", f"127.0.0.2:{PORT}",
             f"[::1]:{PORT}", f"0.0.0.0:{PORT}", f"localhost.:{PORT}",
             f"2130706433:{PORT}"):
    case("denied", request(BASE + "/host", AUTH, host=host))
# Too much.
case("head_too_large", request(BASE + "/" + "a" * 5000, AUTH))
case("head_too_large", request(BASE + "/h", AUTH, "X: " + "a" * 17000))
case("head_too_large", request(BASE + "/h", AUTH, *["X: a"] * 70))
case("head_too_large", request(BASE + "/h", AUTH, "X" * 70 + ": a"))
# Whose, and where to.
for path in ("/t", "/t/", "/p", "/p/", "/t/x/s/a", "/t/0/s/a", "/t/-1/s/a",
             "/t//s/a", f"/t/{TASK}", f"/t/{TASK}/", "/t/99999999999999999999/s",
             "/p//a"):
    case(("invalid", "not_found"), request(path, AUTH))
case("wrong_process", request(f"/t/{int(TASK) + 1}/{SERVICE}/a", AUTH))
for name in ("evil.example", "169.254.169.254", "127.0.0.1", "127.0.0.1:1",
             "localhost", SERVICE + "0", SERVICE + ".", "0x7f000001"):
    case("unknown_service", request(f"/p/{name}/a"))
# The placeholder where no value belongs. (These count: few.)
for lines in ((f"X-Key: {KEY}",), (f"Cookie: k={KEY}",),
              (f"Authorization: Basic {B64}",),
              (AUTH, f"X-Key: {KEY}"), (f"Authorization: Token {KEY}",)):
    case("wrong_place", request(BASE + "/place", *lines))
case("wrong_place", request(BASE + f"/place?key={KEY}"))
case("wrong_place", request(BASE + f"/place/{KEY}"))

failed = 0
for number, (code, raw) in enumerate(CASES):
    status, got = exchange(raw)
    if got not in ((code,) if isinstance(code, str) else code) or status < 400:
        failed += 1
        print(f"case {number}: {status} {got!r}, not {code!r}: {raw[:120]!r}")
print(f"{len(CASES)} cases, {failed} failed")
sys.exit(1 if failed else 0)
