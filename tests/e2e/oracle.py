"""Asks the proxy and `redact`, from within a task, for values it was not given.

    oracle.py proxy|redact|stream|file FILE

FILE has the values (which a task never has: the scenario plays that it guessed
the beginning right). Every guess is made twice, right and with its last
character wrong; whatever can be seen from outside must be the same both times:
the bytes, how many of them come before the service pauses, and the counts.
Prints a line that ends with "tried" and exits 0, or says what tells.
"""
import base64
import concurrent.futures
import json
import os
import select
import socket
import subprocess
import sys
import time
import urllib.parse

SPACE = 128 * 1024
ASKS_AT_ONCE = 12  # most of a guess is waiting
FLOWS_AT_ONCE = 4   # each takes a quarter of a second, 20 may be begun in one
tried = 0


def wrong(text, at=-1):
    """With another character there: another in both halves of its byte, since
    in base64 the bits that a value shares with its neighbours don't count."""
    had = ord(text[at])
    other = next(c for c in "Q8k" if (had ^ ord(c)) & 0xf0 and (had ^ ord(c)) & 0x0f)
    return text[:at] + other + (text[at + 1:] if at != -1 else "")


def pairs(value):
    """(what, right, wrong) of all that is not the whole value."""
    for n in sorted({1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 24, 32, len(value) - 2, len(value) - 1}):
        if 0 < n < len(value):
            yield "prefix %d" % n, value[:n], wrong(value[:n])
            yield "suffix %d" % n, value[-n:], wrong(value[-n:], 0)
    middle = value[3:-3]
    yield "middle", middle, wrong(middle)
    # All but the last character, and a wrong one: as a whole value it is none.
    yield "one off", wrong(value), wrong(wrong(value), 5)


def forms(text):
    raw = text.encode()
    yield "raw", raw
    yield "hex", raw.hex().encode()
    yield "base64", base64.b64encode(raw)[:len(raw) * 8 // 6]
    if "\n" in text:
        yield "json", json.dumps(text)[1:-1].encode()
        yield "percent", urllib.parse.quote(text).encode()


def differ(what, a, b):
    if a != b:
        sys.exit("tells: %s: %r and %r" % (what, a, b))


def guesses(values):
    for value in values:
        for what, right, miss in pairs(value):
            for (form, a), (_, b) in zip(forms(right), forms(miss)):
                if len(a) == len(b):
                    yield what + " " + form, a, b


# ---- the proxy ----

def ask(body, header="-"):
    """What came before the pause, and all of it; a header."""
    url = urllib.parse.urlparse(os.environ["API_URL"])
    with socket.create_connection((url.hostname, url.port), timeout=20) as s:
        s.sendall(b"POST %s/pause HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"
                  b"X-Send: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (
                      url.path.encode(), url.netloc.encode(), os.environ["API_KEY"].encode(),
                      header.encode(), len(body)) + body)
        got, first, quiet = b"", None, time.monotonic()
        while True:
            ready, _, _ = select.select([s], [], [], 0.02)
            if not ready:
                if first is None and b"\r\n\r\n" in got and time.monotonic() - quiet > 0.1:
                    first = got
                continue
            part = s.recv(65536)
            if not part:
                break
            got += part
            quiet = time.monotonic()
    return plain(got if first is None else first), plain(got)


def plain(answer):
    """The body without its chunks, and the header that the service sent."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if b"Transfer-Encoding" not in fields:
        return fields.get(b"X-Sent"), rest
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[:int(size or b"0", 16)]
        rest = rest[int(size or b"0", 16) + 2:]
    return fields.get(b"X-Sent"), body


FILLS = {
    "nothing": b"",
    "a line": b"x\n",
    "an event": b"data: x\n\n",
    "more than a buffer": b"." * SPACE,
}


def all_of(ask_one, guesses_made, at_once):
    """Each guess's answer, in order; so many are under way at once."""
    global tried
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for made, answer in zip(guesses_made, pool.map(lambda g: ask_one(*g[-1]), guesses_made)):
            yield made, answer
            tried += 1


def alike(look, a, b):
    """What was seen in time of two guesses, each (SEEN, SENT). What differs is
    looked at again, one after the other: a busy machine is late now and then,
    what tells does it each time."""
    (seen_a, sent_a), (seen_b, sent_b) = a, b
    for _ in range(4):
        if seen_a == seen_b:
            break
        seen_a, seen_b = look(sent_a), look(sent_b)
    return seen_a, seen_b


def proxy(values):
    for (what, sent), (_, (_, got)) in all_of(
            ask, [(what + ", echoed", (a,)) for what, a, _ in guesses(values)], ASKS_AT_ONCE):
        differ(what, got, sent[0])
    pauses = []
    for value in values:
        for n in (1, 4, 16, len(value.split("\n")[0]), len(value) - 1):
            for fill, text in FILLS.items():
                for end in b"", b"\n":
                    a, b = value[:n].encode(), wrong(value[:n]).encode()
                    if n < len(value):
                        where = "prefix %d behind %s" % (n, fill)
                        # What follows is no character of a value: it would be
                        # the last one, once in 64 times.
                        pauses += [(where, (text + guess + end + b"PAUSE" + b"!tail\n",))
                                   for guess in (a, b)]
    answers = list(all_of(ask, pauses, ASKS_AT_ONCE))
    for ((where, sent_a), (before_a, all_a)), ((_, sent_b), (before_b, all_b)) in zip(
            answers[::2], answers[1::2]):
        differ(where + ", before a pause", *alike(
            lambda sent: len(ask(*sent)[0][1]), (len(before_a[1]), sent_a),
            (len(before_b[1]), sent_b)))
        differ(where + ", length", len(all_a[1]), len(all_b[1]))
    headers = [("header", (b"", value[:n])) for value in values if "\n" not in value
               for n in (4, 12, len(value) - 1)]
    for (what, sent), ((header, _), _) in all_of(ask, headers, ASKS_AT_ONCE):
        differ(what, header, sent[1].encode())


# ---- /v1/redact ----

def redact(values):
    global tried
    for what, a, b in guesses(values):
        seen = []
        for text in a, b:
            time.sleep(0.055)  # the rate is looked at elsewhere
            body = json.dumps({"text": text.decode()})
            out = subprocess.run(
                ["curl", "-sS", "-m", "20", "--unix-socket", os.environ["AUTH_GUARD_SOCKET"],
                 "-H", "Authorization: Bearer " + os.environ["AUTH_GUARD_TOKEN"],
                 "-H", "Content-Type: application/json", "--data-binary", body,
                 "http://localhost/v1/redact"], capture_output=True, text=True, check=True).stdout
            answer = json.loads(out)
            if "code" in answer:
                sys.exit("redact: %s" % answer)
            differ(what + ", redact", answer.pop("text"), text.decode())
            seen.append(answer)
            tried += 1
        differ(what + ", counts", *seen)
        differ(what + ", counts", seen[0], {"hits": 0, "counts": {}})


# ---- `auth-guard redact`, as it flows ----

def flow(text):
    """How much comes out while the input is open, and all of it."""
    with subprocess.Popen(["auth-guard", "redact"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as child:
        os.set_blocking(child.stdout.fileno(), False)
        os.set_blocking(child.stdin.fileno(), False)
        got, quiet, begun = b"", time.monotonic(), time.monotonic()
        while time.monotonic() - quiet < 0.15 or time.monotonic() - begun < 0.25:
            ready, writable, _ = select.select(
                [child.stdout], [child.stdin] if text else [], [], 0.02)
            if writable:
                text = text[os.write(child.stdin.fileno(), text):]
                quiet = time.monotonic()
            if ready:
                part = child.stdout.read()
                if part == b"":
                    sys.exit("redact ended before its input did")
                got += part or b""
                quiet = time.monotonic()
        before = len(got)
        child.stdin.close()
        os.set_blocking(child.stdout.fileno(), True)
        got += child.stdout.read()
    return before, got


def stream(values):
    flows = []
    for value in values:
        for n in (1, 4, 8, len(value.split("\n")[0]), len(value) - 1):
            for fill, text in FILLS.items():
                for end in (b"", b"\n") if "\n" in value else (b"",):
                    if n < len(value):
                        flows += [("prefix %d behind %s, streamed" % (n, fill),
                                   (text + guess.encode() + end,))
                                  for guess in (value[:n], wrong(value[:n]))]
    answers = list(all_of(flow, flows, FLOWS_AT_ONCE))
    for ((what, sent_a), a), ((_, sent_b), b) in zip(answers[::2], answers[1::2]):
        differ(what, *alike(lambda sent: flow(*sent)[0], (a[0], sent_a), (b[0], sent_b)))


# ---- its own output, where that goes to a file it can read ----

def become(size):
    """The file when it is so long; None if it does not get there."""
    for _ in range(500):
        if os.stat(os.environ["LOG"]).st_size >= size:
            break
        time.sleep(0.02)
    else:
        return None
    with open(os.environ["LOG"], "rb") as file:
        return file.read()


def put(text):
    os.write(1, text)


def file(values):
    global tried
    sent = b"begin\n"
    put(sent)
    made = [(what, text) for what, a, b in guesses(values) for text in (a, b)]
    # Whole lines: in the file as they were, whatever stands in them. With values
    # of several lines in the vault it takes an empty one to let them out.
    for what, text in made:
        line = b"= " + text + b"\n"
        put(line)
        sent += line
        tried += 1
    put(b"\n")
    size = len(sent) + 1
    for a, b in zip(sent.split(b"\n"), (become(size) or b"").split(b"\n")):
        differ("a line of the file", a, b)
    # Open lines: none of them is there before its end is.
    for what, text in made[:: len(made) // 40 | 1]:
        put(text)
        time.sleep(0.1)
        differ(what + ", an open line", os.stat(os.environ["LOG"]).st_size, size)
        put(b"\n\n")
        size += len(text) + 2
        if become(size) is None:
            sys.exit("the file stopped growing")
        tried += 1


{"proxy": proxy, "redact": redact, "stream": stream, "file": file}[sys.argv[1]](
    json.load(open(sys.argv[2])))
print("- %d guesses by %s tried" % (tried, sys.argv[1]),
      file=sys.stderr if sys.argv[1] == "file" else sys.stdout)
