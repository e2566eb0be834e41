#!/usr/bin/python3
"""leak.py - looks for canaries where they must not be.

    leak.py --canaries FILE [--since EPOCH] [--skip DIR]… [--procs] ROOT…

Every canary (one a line, 8 bytes at least) is sought raw, in hex (both cases),
base64 and base64url at three alignments, percent- and JSON-escaped, in the
names and contents of all files below every ROOT and, with --procs, in every
readable /proc/PID/environ and cmdline. Prints the place and the form, never
the value. A directory of others that this user may not write to is left out.
With --since only files whose status changed since then are read: a
secret made later can be in no other. Exit 0: nowhere; 1: found; 2: nothing was searched.
"""
import argparse
import base64
import json
import os
import stat
import sys
import urllib.parse

CHUNK = 8 * 1024 * 1024


def forms(value):
    raw = value.encode()
    yield "raw", raw
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw)
        # Only the characters that the value alone decides.
        start = (shift * 8 + 5) // 6
        end = (shift + len(raw)) * 8 // 6
        stable = text[start:end]
        yield f"base64+{shift}", stable
        url = stable.replace(b"+", b"-").replace(b"/", b"_")
        if url != stable:
            yield f"base64url+{shift}", url
    for name, text in (("percent", urllib.parse.quote(value, safe="")),
                       ("json", json.dumps(value)[1:-1])):
        if text != value:
            yield name, text.encode()


class Search:
    def __init__(self, needles, skip, since):
        self.since = since
        self.needles = needles
        self.longest = max(len(n) for _, _, n in needles)
        self.skip = skip
        self.files = 0
        self.hits = []

    def bytes(self, where, data):
        for number, form, needle in self.needles:
            if needle in data:
                hit = f"{where}: canary {number} ({form})"
                if hit not in self.hits:
                    self.hits.append(hit)

    def file(self, path):
        try:
            with open(path, "rb", buffering=0) as f:
                self.files += 1
                tail = b""
                while True:
                    part = f.read(CHUNK)
                    if not part:
                        return
                    self.bytes(path, tail + part)
                    tail = part[-self.longest:]
        except OSError:
            return

    def tree(self, root):
        if any(os.path.realpath(root) == s for s in self.skip):
            return
        try:
            entries = list(os.scandir(root))
        except OSError:
            return
        # All names at once: a hundred forms, a hundred thousand names.
        self.bytes("name in " + root,
                   "/".join(e.name for e in entries).encode(errors="replace"))
        for entry in entries:
            path = entry.path
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            mode = state.st_mode
            if stat.S_ISDIR(mode):
                if self.may_hold(path, state):
                    self.tree(path)
            elif stat.S_ISREG(mode) and state.st_ctime >= self.since:
                self.file(path)
            elif stat.S_ISLNK(mode):
                self.bytes("link " + path, os.readlink(path).encode())

    @staticmethod
    def may_hold(path, state):
        """Where we may write: in what belongs to others nothing of ours is."""
        return state.st_uid == os.geteuid() or os.access(path, os.W_OK)

    def procs(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if int(pid) == os.getpid():
                continue
            for what in ("environ", "cmdline"):
                self.file(f"/proc/{pid}/{what}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--canaries", required=True)
    p.add_argument("--since", type=float, default=0)
    p.add_argument("--skip", action="append", default=[])
    p.add_argument("--procs", action="store_true")
    p.add_argument("roots", nargs="*")
    args = p.parse_args()
    with open(args.canaries, encoding="utf-8") as f:
        values = [v for v in dict.fromkeys(f.read().split("\n")) if len(v) >= 8]
    if not values:
        print("leak: no canaries", file=sys.stderr)
        return 2
    needles = [(n, form, text) for n, v in enumerate(values, 1)
               for form, text in forms(v)]
    search = Search(needles, [os.path.realpath(s) for s in args.skip],
                    args.since)
    for root in args.roots:
        if os.path.isdir(root):
            search.tree(root)
        else:
            search.file(root)
    if args.procs:
        search.procs()
    for hit in search.hits:
        print("LEAK " + hit)
    if not search.files:
        print("leak: nothing could be read", file=sys.stderr)
        return 2
    print(f"leak search: {len(values)} values in {len(needles)} forms, "
          f"{search.files} files, {len(search.hits)} hits", file=sys.stderr)
    return 1 if search.hits else 0


if __name__ == "__main__":
    sys.exit(main())
