"""A service that speaks WebSocket: echoes messages, and on some words gives
away the credential it was called with, in one way each.

    socket_service.py LOG PORTFILE [CERT KEY]

Handshakes, long messages' sums and ends go to LOG, one JSON object a line.
"""
import asyncio
import hashlib
import http
import json
import os
import ssl
import sys

import websockets

LOG, PORTFILE = sys.argv[1:3]


def log(**what):
    with open(LOG, "a") as out:
        out.write(json.dumps(what) + "\n")


async def serve(ws):
    auth = ws.request_headers.get("Authorization", "")
    log(path=ws.path, auth=auth, extensions=ws.request_headers.get("Sec-WebSocket-Extensions"))
    try:
        async for message in ws:
            if len(message) > 4096:
                whole = message if isinstance(message, bytes) else message.encode()
                log(path=ws.path, sum=hashlib.sha256(whole).hexdigest())
            if message == "text":
                await ws.send("you are " + auth)
            elif message == "binary":
                await ws.send(b"\x00\xff" + auth.encode() + b"\x00")
            elif message == "fragments":
                await ws.send(["you ", "are " + auth[:12], auth[12:20], auth[20:], " indeed"])
            elif message == "ping":
                await ws.ping(auth.encode())
                await ws.send("pinged")
            elif message == "close":
                await ws.close(4321, auth)
            elif message == "big":
                await ws.send("x" * 3000000 + "\n" + auth + "\n" + "y" * 3000000)
            elif message == "masked":  # no service may; the client is never told
                ws.transport.write(b"\x81\x85" + b"\0\0\0\0" + b"wrong")
            elif message == "reserved":
                ws.transport.write(b"\xc1\x05wrong")
            elif message == "drop":
                ws.transport.abort()
            elif message == "flood":
                for i in range(4000):
                    await ws.send("z" * 65536)
            else:
                await ws.send(message)
    except websockets.ConnectionClosed:
        pass
    log(path=ws.path, end=ws.close_code)


async def refuse(path, headers):
    if path.startswith("/refused"):
        return http.HTTPStatus.FORBIDDEN, [("X-Auth", headers.get("Authorization", ""))], b"no socket here\n"
    return None


async def main():
    tls = None
    if len(sys.argv) > 3:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[3], sys.argv[4])
    async with websockets.serve(serve, "127.0.0.1", 0, ssl=tls, max_size=None,
                                process_request=refuse) as server:
        port = server.sockets[0].getsockname()[1]
        with open(PORTFILE + ".new", "w") as out:
            out.write(str(port))
        os.rename(PORTFILE + ".new", PORTFILE)
        await asyncio.Future()


asyncio.run(main())
