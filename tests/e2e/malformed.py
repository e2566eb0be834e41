#!/usr/bin/python3
"""malformed.py ADMIN TASK FD - requests that must be refused, one by one.

Each goes on a connection of its own. The answer must be an error (4xx or 5xx
with a problem+json body) or the end of the connection; never 2xx, never
silence. What must be refused is followed on the same connection by a good
request: an answer to it would be smuggling.
"""
import socket
import sys

GOOD = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
CASES = {
    "two lengths": b"POST /v1/redact HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
    "length and chunked": b"POST /v1/redact HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked": b"POST /v1/redact HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "strange encoding": b"POST /v1/redact HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: foo\r\n\r\n",
    "packed": b"POST /v1/redact HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 14\r\n\r\n{\"text\":\"abc\"}",
    "two hosts": b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n",
    "bare line feeds": b"GET /v1/health HTTP/1.1\nHost: localhost\n\n",
    "folded header": b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n c\r\n\r\n",
    "space before colon": b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nAuthorization : Bearer x\r\n\r\n",
    "two authorizations": b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\nAuthorization: Bearer y\r\n\r\n",
    "NUL in a value": b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-A: b\0c\r\n\r\n",
    "CR in a value": b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-A: b\rc\r\n\r\n",
    "%00 in the path": b"GET /v1/secrets/a%00b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "absolute target": b"GET http://evil/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "CONNECT": b"CONNECT evil:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no version": b"GET /v1/health\r\n\r\n",
    "noise": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "huge head": b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 100000 + b"\r\n\r\n",
    "many headers": b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 2000 + b"\r\n",
    "huge length": b"POST /v1/redact HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{}",
    "negative length": b"POST /v1/redact HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n{}",
}


def body(method, path, text, kind=b"application/json"):
    return (b"%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n"
            b"Content-Length: %d\r\n\r\n" % (method, path, kind, len(text))) + text


for name, text in {
    "not JSON": b"hello", "two values": b"{}{}", "a NUL": b'{"text":"a\\u0000b"}',
    "an unknown field": b'{"text":"a","more":1}', "a field twice": b'{"text":"a","text":"b"}',
    "a wrong type": b'{"text":7}', "deep nesting": b"[" * 100000, "no UTF-8": b'{"text":"\xff\xfe"}',
    "an empty body": b"",
}.items():
    CASES["body with " + name] = body(b"POST", b"/v1/redact", text)
CASES["body that is no JSON by its type"] = body(b"POST", b"/v1/redact", b"{}", b"text/plain")
CASES["no such route"] = b"GET /v2/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
CASES["no such method"] = b"BREW /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def ask(path, data):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(15)
    s.connect(path)
    got = b""
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        while True:
            part = s.recv(65536)
            if not part:
                break
            got += part
    except (BrokenPipeError, ConnectionResetError):
        pass
    return got


def main():
    bad = []
    for path in sys.argv[1:3]:
        if b" 200 " not in ask(path, GOOD).split(b"\r\n")[0]:
            bad.append(f"{path}: a good request is not answered")
        for name, data in CASES.items():
            try:
                got = ask(path, data + GOOD)
            except socket.timeout:
                bad.append(f"{path}: {name}: silence")
                continue
            heads = [h for h in got.split(b"HTTP/1.1 ")[1:]]
            statuses = [h[:3].decode() for h in heads]
            framed = name.startswith("body") or name.startswith("no such")
            if not statuses:
                continue
            if statuses[0][0] not in "45" or (not framed and len(statuses) > 1):
                bad.append(f"{path}: {name}: {statuses}")
            elif b"application/problem+json" not in heads[0]:
                bad.append(f"{path}: {name}: not a problem document")
    for data in (b"", b"x", b"{}", b'{"op":"life"}', b'{"op":"nothing","ticket":"agx_x"}',
                 b'{"op":"deliver","ticket":"agx_' + b"A" * 43 + b'"}', b"{" * 9000):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(10)
        s.connect(sys.argv[3])
        try:
            if data:
                s.send(data)
                got = s.recv(65536)
                if b'"ok":true' in got.replace(b" ", b""):
                    bad.append(f"fd.sock believed {data[:30]!r}")
        except (BrokenPipeError, ConnectionResetError):
            pass
        except socket.timeout:
            bad.append(f"fd.sock: silence after {data[:30]!r}")
        s.close()
    print("\n".join(bad) if bad else f"{len(CASES)} malformed requests on 2 sockets refused, 6 on fd.sock")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
