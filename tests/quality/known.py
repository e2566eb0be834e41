#!/usr/bin/env python3
"""known.py - how many known values get past the filter, form by form.

  tests/quality/known.py [--bin DIR] [--list] [--readme FILE]

AG_CORPUS names a directory with known-values.jsonl (one case a line: secret,
text, rule, tier, label, leak); without it, examples made here are used. All
values are in one set, and each text is filtered as a whole, in two parts cut at
every place, and byte by byte.

A case is missed if, of what is left of the text, anything undone in any of the
ways below shows more than a fifth of the secret in a row, or what the case
names as `leak`. A negative is touched if its text is changed. Exit 1 unless P0
is missed never, P1 in at most 2 of 100, nothing is touched, and no cut makes a
difference. Values spread over several events are filtered as a stream of these
(`redact --format sse`). --readme puts the table into FILE: forms of
a tier that miss the same share are in one row.
"""
import argparse
import base64
import collections
import html
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import readme

MARK = b"#"
SHOWN = 0.2
P1_MOST = 0.02
TEXT, SSE = 0, 3  # as format.h counts
EVENTS = ("known/sse-delta-2", "known/sse-delta-tok")


def load(corpus):
    with open(Path(corpus) / "known-values.jsonl", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


# ---- our own examples ----

OWN = ["q7RtWz90LmXcAb12Kd34Ve56", "p\u00e4ss/w\u00f6rd-42bv&Q9<x",
       "sk-T3stOnly0Value7kQ2mZ8pL4"]


def dump(data, offset, group, bar):
    lines = []
    for at in range(0, len(data), 16):
        row = data[at:at + 16]
        cells = " ".join(row[i:i + group].hex()
                         for i in range(0, len(row), group))
        shown = "".join(chr(c) if 32 <= c < 127 else "." for c in row)
        lines.append(f"{at:08x}{offset}{cells:<{16 * 2 + 16 // group}}  "
                     f"{bar}{shown}{bar}\n")
    return "".join(lines)


def own():
    for v in OWN:
        b = v.encode()
        half = len(v) // 2
        head, tail = v[:half], v[half:]
        wrapped = base64.encodebytes(b"x" * 40 + b + b"y" * 90).decode()
        forms = [
            ("P0", "raw", v), ("P0", "hex", b.hex()),
            ("P0", "b64", base64.b64encode(b).decode()),
            ("P0", "json", json.dumps(v)), ("P0", "percent", quote(v, "")),
            ("P1", "ansi", f"{head}\x1b[01;31m\x1b[K{tail}"),
            ("P1", "zwsp", f"{head}\u200b{tail}"),
            ("P1", "wrap-crlf", f"{head}\r\n{tail}"),
            ("P1", "wrap-indent", f"  {head}\n  {tail}"),
            ("P1", "wrap-backslash", f"{head}\\\n{tail}"),
            ("P1", "overstrike", "".join(f"{c}\b{c}" for c in v)),
            ("P1", "utf16le", v.encode("utf-16-le").decode("latin-1")),
            ("P1", "c-hex", "".join(f"\\x{c:02x}" for c in b)),
            ("P1", "octal", "".join(f"\\{c:03o}" for c in b)),
            ("P1", "json-all-u", "".join(f"\\u{ord(c):04x}" for c in v)),
            ("P1", "json-x3", json.dumps(json.dumps(json.dumps(v)))),
            ("P1", "percent-all", "".join(f"%{c:02X}" for c in b)),
            ("P1", "percent-x2", quote(quote(v, ""), "")),
            ("P1", "entities", "".join(f"&#{ord(c)};" for c in v)),
            ("P1", "quoted-printable",
             "".join(f"={c:02X}" for c in b[:8]) + "=\n" +
             "".join(f"={c:02X}" for c in b[8:])),
            ("P1", "hex-colon", b.hex(":")), ("P1", "hex-space", b.hex(" ")),
            ("P1", "hexdump", dump(b, "  ", 1, "|")),
            ("P1", "xxd", dump(b, ": ", 2, "")),
            ("P1", "b64-wrap76", wrapped),
        ]
        if len(v) >= 24:
            forms += [("P1", "prefix", f"{v[:12]}..."),
                      ("P1", "halves", f"a={head}\nb={tail}")]
        for tier, form, text in forms:
            yield {"secret": v, "text": f"before {text} after\n",
                   "rule": f"own/{form}", "tier": tier, "label": "positive",
                   "leak": ""}
        for text in (v[:4], f"{v[:7]} and more", f"has {len(v)} characters"):
            yield {"secret": v, "text": text, "rule": "own/near-miss",
                   "tier": "P0", "label": "negative", "leak": ""}


# ---- undoing forms, to see what is left ----

def erase(data):
    out = bytearray()
    for c in data:
        if c == 8:
            del out[-1:]
        else:
            out.append(c)
    return bytes(out)


def strip(data):
    data = re.sub(rb"\x1b\[[0-?]*[ -/]*[@-~]", b"", data)
    return re.sub(b"\xc2\xad|\xe2\x80[\x8b-\x8f]|\xe2\x81\xa0|\xef\xbb\xbf",
                  b"", erase(data)).replace(b"\0", b"")


def join(data):
    return re.sub(rb"[=\\]?\r?\n[ \t]*", b"", data)


def unescape(data):
    def one(match):
        text = match.group(0)
        if text[1:2] == b"u" and len(text) > 2:
            return chr(int(text[2:], 16)).encode("utf-8", "surrogatepass")
        if text[1:2] == b"x" and len(text) > 2:
            return bytes([int(text[2:], 16)])
        if text[1:].isdigit():
            return bytes([int(text[1:], 8) & 255])
        return text[1:]
    data = re.sub(rb"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[0-3][0-7]{2}|.)",
                  one, data)
    data = unquote_to_bytes(data)
    return html.unescape(data.decode("latin-1")).encode("utf-8", "replace") \
        if b"&" in data else data


def unquote_mail(data):
    return re.sub(rb"=([0-9A-F]{2})",
                  lambda m: bytes([int(m.group(1), 16)]), data)


def undump(data):
    lines = []
    for line in data.splitlines():
        line = re.sub(rb"^\s*[0-9a-fA-F]{6,16}(: |  )", b"", line)
        line = re.sub(rb"  +(\|.*|[^ ].{0,32})$", b"", line)
        lines.append(b"".join(re.findall(rb"\b(?:[0-9a-fA-F]{2}){1,2}\b",
                                         line)))
    return b"".join(bytes.fromhex(x.decode()) for x in lines)


def unbase64(data):
    runs = re.findall(rb"[A-Za-z0-9+/]{12,}", join(data))
    out = []
    for run in runs:
        for skip in range(4):
            part = run[skip:]
            out.append(base64.b64decode(part[:len(part) // 4 * 4]))
    return MARK.join(out)


def together(data):
    """The strings of events, one behind the other."""
    return b"".join(json.loads(text).encode("utf-8", "surrogatepass")
                    for text in re.findall(rb'"(?:delta|text)": ?("(?:[^"\\]|\\.)*")', data))


def undone(data):
    yield data
    yield together(data)
    plain = strip(data)
    for text in (plain, join(plain)):
        once = unescape(text)
        yield from (text, once, unescape(once), unescape(unescape(once)),
                    unquote_mail(text))
    yield undump(data)
    yield unbase64(data)
    yield unbase64(unbase64(data))


def longest_left(secret, out):
    low, high = 0, len(secret)
    while low < high:
        size = (low + high + 1) // 2
        if any(secret[i:i + size] in out
               for i in range(len(secret) - size + 1)):
            low = size
        else:
            high = size - 1
    return low


def is_missed(case, out):
    secret = case["secret"].encode("utf-8", "surrogatepass")
    leak = case["leak"].encode("utf-8", "surrogatepass")
    if leak and leak in out and case["rule"] != "known/b64-of-json":
        return True
    return any(longest_left(secret, text) > max(SHOWN * len(secret), 3)
               for text in undone(out))


def string(data):
    return struct.pack("<I", len(data)) + data


def filtered(binary, cases):
    values = list(dict.fromkeys(c["secret"] for c in cases))
    data = struct.pack("<I", len(values))
    data += b"".join(string(v.encode("utf-8", "surrogatepass"))
                     for v in values)
    data += b"".join(struct.pack("<I", SSE if c["rule"] in EVENTS else TEXT)
                     + string(c["text"].encode("utf-8", "surrogatepass"))
                     for c in cases)
    done = subprocess.run([binary], input=data, stdout=subprocess.PIPE,
                          check=True).stdout
    at = 0

    def take():
        nonlocal at
        (length,) = struct.unpack_from("<I", done, at)
        at += 4 + length
        return done[at - length:at]

    def number():
        nonlocal at
        at += 4
        return struct.unpack_from("<I", done, at - 4)[0]

    for case in cases:
        out, names = take(), take().decode().split()
        yield case, out, names, [(number(), take()) for _ in range(number())]


class Row:
    """Of one form: cases; missed as a whole, at some cut, byte by byte."""

    def __init__(self):
        self.count = self.cuts = 0
        self.missed = [0, 0, 0]
        self.names = collections.Counter()

    def add(self, bad, names, others):
        """`others`: (cut, is it missed there?) where the output differs."""
        cut = [is_bad for place, is_bad in others if place != 0]
        byte = [is_bad for place, is_bad in others if place == 0]
        self.count += 1
        self.cuts += len(others)
        self.names.update(names)
        for i, is_bad in enumerate((bad, any([bad, *cut]), any(byte or [bad]))):
            self.missed[i] += is_bad

    def shares(self):
        return [f"{100 * m / self.count:.1f} %" for m in self.missed]


def show(rows):
    print(f"{'tier':5}{'form':30}{'cases':>6}{'whole':>6}{'cut':>6}{'bytes':>6}"
          f"{'cuts':>6}  found as")
    for (tier, rule), row in sorted(rows.items()):
        print(f"{tier:5}{rule:30}{row.count:6}"
              + "".join(f"{m:6}" for m in row.missed) + f"{row.cuts:6}  "
              + " ".join(f"{k}:{v}" for k, v in row.names.most_common(4)))


def for_readme(rows):
    """Forms of a tier with the same shares together."""
    groups = collections.defaultdict(lambda: [Row(), []])
    for (tier, rule), row in sorted(rows.items()):
        key = (tier.replace("P-", "near misses"), 100 * row.missed[0] // row.count,
               *row.shares())
        group, names = groups[key]
        group.count += row.count
        names.append(rule.split("/", 1)[1].removeprefix("neg-"))
    for (tier, _, *shares), (group, names) in sorted(groups.items()):
        yield tier, ", ".join(names), group.count, *shares


def main():
    ask = argparse.ArgumentParser()
    ask.add_argument("--bin", default="build/release")
    ask.add_argument("--list", action="store_true")
    ask.add_argument("--readme", metavar="FILE")
    args = ask.parse_args()
    corpus = os.environ.get("AG_CORPUS")
    cases = list(load(corpus) if corpus else own())
    rows = collections.defaultdict(Row)
    missed = []
    for case, out, names, others in filtered(
            os.path.join(args.bin, "quality_known"), cases):
        is_positive = case["label"] == "positive"

        def bad(text, case=case, is_positive=is_positive):
            whole = case["text"].encode("utf-8", "surrogatepass")
            return is_missed(case, text) if is_positive else text != whole
        rows["P-" if not is_positive else case["tier"], case["rule"]].add(
            bad(out), names, [(place, bad(text)) for place, text in others])
        if bad(out) and is_positive:
            missed.append((case, out))
    show(rows)
    total = collections.Counter()
    worst = collections.Counter()
    for (tier, rule), row in rows.items():
        total[tier] += row.count
        worst[tier] += max(row.missed)
    for tier in sorted(total):
        print(f"{tier}: {worst[tier]} of {total[tier]} "
              f"{'touched' if tier == 'P-' else 'missed'}"
              f" ({100 * worst[tier] / total[tier]:.2f} %)")
    cuts = sum(row.cuts for row in rows.values())
    print(f"cuts that make a difference: {cuts}")
    for case, out in missed:
        if args.list or case["tier"] in ("P0", "P1"):
            print("MISSED", case["tier"], case["rule"], repr(case["secret"]),
                  repr(out[:100]) if args.list else "")
    if args.readme:
        readme.put(args.readme, "known values", readme.table(
            ("tier", "forms", "cases", "missed: whole", "at the worst cut",
             "byte by byte"), for_readme(rows)))
    return 1 if worst["P0"] or worst["P-"] or cuts or \
        worst["P1"] > P1_MOST * total["P1"] else 0


if __name__ == "__main__":
    sys.exit(main())
