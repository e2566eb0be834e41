"""transcript.py - fake values, and text as agents' transcripts have it, made anew
in every run: Codex-like JSON lines, coloured logs, code, prose, base64, hexdumps,
with a value in some form every 16 KiB and a token of a public format now and then.
"""
import base64
import json
import random
import urllib.parse

PLANT_EVERY_BYTES = 16 * 1024
BLOCK_BYTES = 1024 * 1024
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
HEADS = ("ghp_", "sk-proj-", "xoxb-", "", "hvs.", "glpat-")
WORDS = ("return the error failed value static const request token of commit diff "
         "line user config import from def None key path build test module server "
         "client session file read write open close update branch merge review agent "
         "task secret list index buffer stream parse string number while until").split()


def letters(rnd, count):
    return "".join(rnd.choices(LETTERS, k=count))


def values(rnd, count):
    return [HEADS[i % 6] + letters(rnd, 20 + rnd.randrange(43)) for i in range(count)]


def words(rnd, count):
    return " ".join(rnd.choices(WORDS, k=count))


def hexdump(rnd):
    data = rnd.randbytes(16)
    shown = "".join(chr(b) if 32 <= b < 127 else "." for b in data)
    return "%08x: %s  %s" % (rnd.randrange(1 << 30), data.hex(" ", 2), shown)


def code(rnd):
    name, other = rnd.choices(WORDS, k=2)
    return rnd.choice((f"    {name} = self.{other}_{name}({words(rnd, 2).replace(' ', ', ')})",
                       f"def {name}_{other}(self, {other}):",
                       f"    if ({name}->{other} != NULL && {name}_count > {rnd.randrange(99)}) {{",
                       f"@@ -{rnd.randrange(999)},7 +{rnd.randrange(999)},9 @@ {name}()"))


def record(rnd):
    text = "\n".join(code(rnd) for _ in range(rnd.randrange(1, 9)))
    return json.dumps({"timestamp": "2026-02-03T04:05:%02d.%03dZ" % (
        rnd.randrange(60), rnd.randrange(1000)), "type": "response_item", "payload": {
            "type": "message", "id": "msg_" + rnd.randbytes(12).hex(), "role": "assistant",
            "content": [{"type": "output_text", "text": text}]}})


def log(rnd):
    return "\x1b[3%dm2026-02-03T04:05:%02dZ\x1b[0m %s %s" % (
        rnd.randrange(1, 8), rnd.randrange(60), rnd.choice(("INFO", "WARN", "DEBUG")),
        words(rnd, 9))


# Of 100 bytes: about 29 of records, 18 of logs, 17 of code, 16 of prose, 15 of
# base64, 6 of dumps.
KINDS = ((record, 9), (log, 28), (code, 46), (lambda r: words(r, 14), 21),
         (lambda r: base64.b64encode(r.randbytes(57)).decode(), 22), (hexdump, 10))


def planted(rnd, value):
    raw = value.encode()
    return rnd.choice((
        lambda: value, lambda: base64.b64encode(b"user:" + raw).decode(),
        lambda: raw.hex(), lambda: urllib.parse.quote(value + "/", safe=""),
        lambda: json.dumps({"key": value})))()


def block(rnd, known):
    """About BLOCK_BYTES of text."""
    makers, weights = zip(*KINDS)
    lines = []
    size = since = 0
    while size < BLOCK_BYTES:
        line = rnd.choices(makers, weights)[0](rnd)
        if since > PLANT_EVERY_BYTES:
            since = 0
            line = planted(rnd, rnd.choice(known))
            if rnd.randrange(8) == 0:
                line = "export GH_TOKEN=ghp_" + letters(rnd, 36)
        lines.append(line)
        size += len(line) + 1
        since += len(line) + 1
    return ("\n".join(lines) + "\n").encode()


def blocks(seed, known, count):
    rnd = random.Random(seed)
    for _ in range(count):
        yield block(rnd, known)
