"""One request that ends its task: prints the code of its refusal and waits.

    proxy_tripwire.py CASE

STOLEN is the placeholder that is sent; API_URL, OTHER_URL and API_KEY as `run`
gives them; TOLD, if given, is the path, and then it does not wait; TLS_AT is HOST:PORT of the service that is called by the forward
proxy.
"""
import base64
import os
import re
import socket
import ssl
import sys
import time

CASE = sys.argv[1]
KEY = os.environ.get("STOLEN") or os.environ["API_KEY"]
URL = os.environ.get("OTHER_URL" if CASE.startswith("other-") else "API_URL", "http://x:1/-")
HOST, PORT, BASE = re.match(r"http://([^:]+):(\d+)(/.*)", URL).groups()
OWN = os.environ["API_KEY"]
BASIC = base64.b64encode
KIND = CASE.removeprefix("other-").removeprefix("tls-")


def request(path="/tripped", *lines, method="GET", body=b"", base=None, host=None):
    base = ("" if CASE.startswith("tls-") else BASE) if base is None else base
    host = host or (os.environ["TLS_AT"] if CASE.startswith("tls-") else f"{HOST}:{PORT}")
    head = [f"{method} {base}{path} HTTP/1.1", f"Host: {host}", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def connect():
    if not CASE.startswith("tls-"):
        return socket.create_connection((HOST, int(PORT)), timeout=20)
    where = os.environ["TLS_AT"]
    proxy = int(os.environ["HTTPS_PROXY"].split(":")[-1])
    s = socket.create_connection(("127.0.0.1", proxy), timeout=20)
    s.sendall(f"CONNECT {where} HTTP/1.1\r\n\r\n".encode())
    assert b" 200 " in s.recv(4096)
    return ssl.create_default_context().wrap_socket(s, server_hostname=where.split(":")[0])


def said(data):
    return [c.decode() for c in re.findall(rb'"code": ?"(\w+)"', data)]


def read(s):
    """One answer, or all that comes."""
    data = b""
    s.settimeout(10)
    try:
        while not said(data):
            part = s.recv(65536)
            if not part:
                break
            data += part
            length = re.search(rb"(?i)content-length: (\d+)\r\n", data)
            head, _, body = data.partition(b"\r\n\r\n")
            if length and len(body) >= int(length.group(1)):
                break
    except OSError as why:
        data += str(why).encode()
    return data


def bearer(key):
    return f"Authorization: Bearer {key}"


def body(*parts):
    """In chunks, one for each part."""
    yield request(os.environ.get("TOLD", "/tripped"), bearer(OWN), "Transfer-Encoding: chunked", method="POST")
    for part in parts:
        yield b"%x\r\n%s\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


def parts():
    if KIND == "body":
        return body(b"say " + KEY.encode() + b" now")
    if KIND == "body-split":
        return body(*[b"%c" % c for c in KEY.encode()])
    if KIND == "body-late":
        return body(b"x " * 50000, KEY.encode())
    if KIND == "body-base64":
        return body(b'{"a": "' + KEY.encode() + b'"}')
    return [{
        "header": lambda: request("/tripped", bearer(KEY)),
        "lower": lambda: request("/tripped", f"authorization: bearer {KEY}"),
        "wrong-header": lambda: request("/tripped", bearer(OWN), f"X-Api-Key: {KEY}"),
        "cookie": lambda: request("/tripped", bearer(OWN), f"Cookie: a=b; k={KEY}"),
        "password": lambda: request("/tripped", "Authorization: Basic " +
                                    BASIC(f"u:{KEY}".encode()).decode()),
        "user": lambda: request("/tripped", "Authorization: Basic " +
                                BASIC(f"{KEY}:x".encode()).decode()),
        "path": lambda: request(f"/tripped/{KEY}", bearer(OWN)),
        "query": lambda: request(f"/tripped?k={KEY}", bearer(OWN)),
        "bad-path": lambda: request("/tripped/../x", bearer(KEY)),
        "bad-method": lambda: request("/tripped", bearer(KEY), method="BREW"),
        "unknown": lambda: request("/tripped", bearer(KEY), base="/p/evil.example"),
        "token-place": lambda: request("/tripped", f"X-Vault-Token: {KEY}", f"X-A: {KEY}"),
    }[KIND]()]


if CASE == "search":
    code = []
    while "token_revoked" not in code and len(code) < 30:
        with connect() as s:
            s.sendall(request("/tripped", f"X-Key: {KEY}"))
            code += said(read(s)) or ["none"]
    print(len(code), " ".join(code), flush=True)
elif CASE == "reuse":
    # One connection, many hosts: decided for each request.
    other = os.environ["OTHER_URL"]
    base = re.match(r"http://[^/]+(/.*)", other).group(1)
    code = []
    with connect() as s:
        for raw in (request("/reuse/1", bearer(OWN)),
                    request("/tripped", base="/p/evil.example"),
                    request("/reuse/2", bearer(OWN)),
                    request("/tripped", bearer(OWN), base=base),
                    request("/tripped", bearer(OWN))):
            s.sendall(raw)
            data = read(s)
            code += said(data) or [data[9:12].decode("latin-1")]
    print("codes", " ".join(code), flush=True)
else:
    with connect() as s:
        try:
            for part in parts():
                s.sendall(part)
        except OSError:
            pass
        print("code", *said(read(s)), flush=True)
time.sleep(0 if "TOLD" in os.environ else 30)
