"""A task's WebSocket client, by a library that knows nothing of auth-guard.

    socket_client.py URL WORD…: one conversation each, its outcome a line

With $VIA=connect it goes by HTTPS_PROXY as any client of TLS does.
"""
import asyncio
import os
import socket
import ssl
import sys
import time
from urllib.parse import urlsplit

import websockets

URL = sys.argv[1]
KEY = os.environ["API_KEY"]


def tunnel(host, port):
    proxy = urlsplit(os.environ["HTTPS_PROXY"])
    s = socket.create_connection((proxy.hostname, proxy.port), 20)
    s.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += s.recv(1)
    assert b" 200 " in head, head
    s.setblocking(False)
    return s


def connect(path, key=KEY):
    options = dict(extra_headers={"Authorization": "Bearer " + key} if key else {},
                   max_size=None, open_timeout=30, close_timeout=5)
    parts = urlsplit(URL)
    if os.environ.get("VIA") == "connect":
        options.update(sock=tunnel(parts.hostname, parts.port), server_hostname=parts.hostname,
                       ssl=ssl.create_default_context())
    return websockets.connect(URL + path, **options)


async def say(word):
    async with connect("/socket") as ws:
        await ws.send(word)
        print(word, repr(await asyncio.wait_for(ws.recv(), 20)))


async def close():
    async with connect("/socket") as ws:
        await ws.send("close")
        try:
            await ws.recv()
        except websockets.ConnectionClosed as end:
            print("close", end.rcvd.code, end.rcvd.reason)


async def broken(word):
    async with connect("/socket") as ws:
        await ws.send(word)
        try:
            print(word, "passed", await asyncio.wait_for(ws.recv(), 20))
        except websockets.ConnectionClosed as end:
            print(word, "closed", end.rcvd and end.rcvd.code)


async def thousand():
    async with connect("/socket") as ws:
        assert not ws.extensions, ws.extensions
        async def send():
            for i in range(1000):
                await ws.send(f"message {i}" if i % 2 else b"bytes %d" % i)
        sender = asyncio.ensure_future(send())
        for i in range(1000):
            got = await asyncio.wait_for(ws.recv(), 20)
            assert got == (f"message {i}" if i % 2 else b"bytes %d" % i), (i, got)
        await sender
        waiter = await ws.ping()
        await asyncio.wait_for(waiter, 20)
    print("thousand", ws.close_code)


async def big():
    async with connect("/big") as ws:
        whole = b"0123456789abcde\n" * (9 * 65536)
        await ws.send(whole)
        got = await asyncio.wait_for(ws.recv(), 60)
        assert got == whole, len(got)
        await ws.send([b"one ", b"two ", b"three"])
        assert await asyncio.wait_for(ws.recv(), 20) == b"one two three"
        await ws.send("big")
        got = await asyncio.wait_for(ws.recv(), 60)
        assert got == "x" * 3000000 + "\nBearer [redacted]\n" + "y" * 3000000, len(got)
    print("big passed")


async def refused(name, path, key=KEY):
    try:
        async with connect(path, key):
            print(name, "passed")
    except websockets.InvalidStatusCode as err:
        print(name, err.status_code)


async def stray(other):
    async with connect("/stray") as ws:
        await ws.send("see " + other)
        try:
            print("stray passed", await asyncio.wait_for(ws.recv(), 20))
        except websockets.ConnectionClosed:
            print("stray closed")


async def stay(where):
    async with connect("/stay") as ws:
        await ws.send("hello")
        await ws.recv()
        with open(where, "w") as out:
            out.write("here")
        begun = time.monotonic()
        try:
            await ws.recv()
        except websockets.ConnectionClosed:
            pass
        print("gone after", time.monotonic() - begun)


async def slow(seconds):
    async with connect("/slow") as ws:
        await ws.send("flood")
        await ws.recv()
        ws.transport.pause_reading()
        time.sleep(seconds)
        ws.transport.resume_reading()
        for _ in range(3999):
            assert len(await asyncio.wait_for(ws.recv(), 30)) == 65536
    print("slow got all")


async def main():
    for word in sys.argv[2:]:
        name, _, arg = word.partition("=")
        if name == "close":
            await close()
        elif name in ("masked", "reserved", "drop"):
            await broken(name)
        elif name == "thousand":
            await thousand()
        elif name == "big":
            await big()
        elif name == "path":
            await refused(name, "/other/socket")
        elif name == "service":
            await refused(name, "/refused")
        elif name == "keyless":
            await refused(name, "/socket", "")
        elif name == "stray":
            await stray(open(arg).read().strip())
        elif name == "crowd":
            await stray(" ".join([KEY] * 40 + [open(arg).read().strip()]))
        elif name == "stay":
            await stay(arg)
        elif name == "slow":
            await slow(float(arg))
        else:
            await say(word)


asyncio.run(main())
