#!/usr/bin/python3
"""memory_scan.py - where in the memory of processes do values lie?

    memory_scan.py --canaries FILE (--locked | --absent) PID…

Reads /proc/PID/mem as a core would have it and more: every mapping that can be
read, also those that are left out of cores, but for what is on disk as it is
there (programs, libraries, the journal). For root. Sought are the values (one a
line, 12 bytes at least; "\\n" in one stands for a line's end) in the forms of
tier P0, and of their own bytes any 19 in a row.

--locked: what is found must lie in pages that are locked and left out of cores;
          something must be found, or the search itself is broken.
--absent: nothing may be found.
Mappings that nobody can read (memfd_secret) are counted; they must be locked.
Prints places and forms, never a value. Exit 0: so it is; 1: not; 2: no search.
"""
import argparse
import base64
import re
import sys
import urllib.parse
from xml.sax.saxutils import escape

import leak

SHORT = 16  # bytes, at every
STEP = 4    # bytes: any SHORT + STEP - 1 in a row have one
PART = 16 * 1024 * 1024
OURS = {"lo", "dd"}  # VM_LOCKED, VM_DONTDUMP


def text_forms(value):
    import json
    once = json.dumps(value)[1:-1]
    yield "json", once
    yield "json-utf8", json.dumps(value, ensure_ascii=False)[1:-1]
    yield "json-slash", once.replace("/", "\\/")
    yield "json-in-json", json.dumps(once)[1:-1]
    yield "json-html", (once.replace("&", "\\u0026").replace("<", "\\u003c")
                        .replace(">", "\\u003e"))
    percent = urllib.parse.quote(value, safe="")
    yield "percent", percent
    yield "percent-lower", re.sub("%..", lambda m: m[0].lower(), percent)
    yield "form", urllib.parse.quote_plus(value)
    yield "xml", escape(value)
    yield "xml-all", escape(value, {'"': "&quot;", "'": "&apos;"})
    yield "xml-39", escape(value, {'"': "&#34;", "'": "&#39;"})
    yield "shell", value.replace("'", "'\\''")
    yield "shell-double", re.sub(r'([\\"$`])', r"\\\1", value)
    yield "crlf", value.replace("\n", "\r\n")
    yield "joined", value.replace("\n", " ")


def cores(raw):
    """Of base64 what the value alone decides, at three alignments."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw)
        yield text[(shift * 8 + 5) // 6:(shift + len(raw)) * 8 // 6]


def forms(value):
    raw = value.encode()
    found = {raw: "raw"}
    for name, text in [*leak.forms(value),
                       *((n, t.encode()) for n, t in text_forms(value)),
                       *(("base64-twice", twice) for once in cores(raw)
                         for twice in cores(once))]:
        found.setdefault(text, name)
    for at in range(0, len(raw) - SHORT + 1, STEP):
        short = raw[at:at + SHORT]
        if b"---" not in short and b"PRIVATE" not in short:  # a key's armour
            found.setdefault(short, f"bytes {at} to {at + SHORT}")
    return [(name, text) for text, name in found.items()]


def mappings(pid):
    """(start, end, rights, name, flags) of each."""
    one = None
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as f:
        for line in f:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line)
            if head:
                one = [int(head[1], 16), int(head[2], 16), head[3], head[4]]
            elif line.startswith("VmFlags:"):
                yield (*one, set(line.split()[1:]))


class Search:
    def __init__(self, values, locked):
        self.needles = [(n, form, text) for n, v in enumerate(values, 1)
                        for form, text in forms(v)]
        self.longest = max(len(t) for _, _, t in self.needles)
        self.locked = locked
        self.hits = self.bad = self.bytes = self.closed = 0

    def part(self, where, data, may):
        for number, form, needle in self.needles:
            if needle not in data:
                continue
            self.hits += 1
            if not may:
                self.bad += 1
                print(f"FOUND value {number} ({form}) in {where} at {data.index(needle)}")

    def process(self, pid, tries=3):
        moved = False
        with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
            comm = f.read().strip()
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
            for start, end, rights, name, flags in mappings(pid):
                where = f"{comm}: {rights} {name or 'anonymous'} of {end - start} bytes"
                is_file = name.startswith("/") and not name.startswith(("/secretmem", "/memfd"))
                if rights[0] != "r" or name.startswith("[v") or (
                        is_file and ("w" not in rights or "s" in rights)):
                    continue
                try:
                    self.mapping(mem, start, end, where, self.locked and OURS <= flags)
                except OSError:
                    if (start, end) not in {(m[0], m[1]) for m in mappings(pid)}:
                        moved = True  # a heap that shrank, say: what is there now
                        continue
                    self.closed += not is_file  # a file may end before its mapping
                    if "lo" not in flags and not is_file:
                        self.bad += 1
                        print(f"CLOSED, not locked: {where}")

        if moved and tries > 1:
            self.process(pid, tries - 1)

    def mapping(self, mem, start, end, where, may):
        tail = b""
        while start < end:
            mem.seek(start)
            data = mem.read(min(PART, end - start))
            if not data:
                raise OSError("ends early")
            start += len(data)
            self.bytes += len(data)
            self.part(where, tail + data, may)
            tail = data[-self.longest + 1:]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--canaries", required=True)
    how = p.add_mutually_exclusive_group(required=True)
    how.add_argument("--locked", action="store_true")
    how.add_argument("--absent", action="store_true")
    p.add_argument("pids", nargs="+", type=int)
    args = p.parse_args()
    with open(args.canaries, encoding="utf-8") as f:
        values = [v.replace("\\n", "\n") for v in f.read().split("\n") if len(v) >= 12]
    if not values:
        print("memory_scan: no values", file=sys.stderr)
        return 2
    search = Search(values, args.locked)
    for pid in args.pids:
        search.process(pid)
    print(f"memory search: {len(values)} values, {len(search.needles)} texts, "
          f"{len(args.pids)} processes, {search.bytes >> 20} MiB, "
          f"{search.closed} closed mappings, {search.hits} hits, {search.bad} misplaced")
    if not search.bytes or (args.locked and not search.hits):
        print("memory_scan: nothing was found that must be there", file=sys.stderr)
        return 2
    return 1 if search.bad else 0


if __name__ == "__main__":
    sys.exit(main())
