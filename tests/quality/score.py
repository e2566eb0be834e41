#!/usr/bin/env python3
"""score.py - recall and precision of the rules for unknown secrets.

  tests/quality/score.py [--bin DIR] [--level default|all] [--list WHAT]
                         [--readme FILE]

AG_CORPUS names a directory with examples*.jsonl (one case a line: id, source,
rule, text, secret, label, scope). A positive counts when no occurrence of its
secret is left and four fifths of it are covered; a negative of scope `any`
when its text is unchanged. Prints a table per source, one per rule, and how far
the figures move when any tenth of the corpus is left out; exit 1 if a bar is
missed. Recall: of positives those that count; precision: of texts in which a
rule found something those that are positives, and not clean negatives. Without AG_CORPUS it says so and is done: what
the rules' own examples say is a unit test.
--readme puts the tables into FILE, of the rules those that touched a negative.
--list missed|touched prints the cases; they are the corpus's, not ours.
"""
import argparse
import collections
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import readme

COVERED = 0.8
MARK = b"[redacted:rule:"


def load(corpus):
    for path in sorted(Path(corpus).glob("examples*.jsonl")):
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def redact(binary, packs, level, texts):
    data = b"".join(struct.pack("<I", len(t)) + t for t in texts)
    done = subprocess.run([binary, packs, level], input=data,
                          stdout=subprocess.PIPE, check=True).stdout
    at = 0
    for _ in texts:
        pair = []
        for _ in range(2):
            (length,) = struct.unpack_from("<I", done, at)
            pair.append(done[at + 4:at + 4 + length])
            at += 4 + length
        yield pair[0], pair[1].decode().split()


def longest_left(secret, out):
    """The longest part of the secret that the output still shows."""
    low, high = 0, len(secret)
    while low < high:
        size = (low + high + 1) // 2
        if any(secret[i:i + size] in out
               for i in range(len(secret) - size + 1)):
            low = size
        else:
            high = size - 1
    return low


def passes(case, text, out):
    secret = case["secret"].encode()
    if case["label"] == "negative":
        return out == text
    if secret in out:
        return False
    return longest_left(secret, out) <= (1 - COVERED) * len(secret)


def measures(cases):
    """{name: (passed, of)} of the bars."""
    def of(want):
        mine = [c for c in cases if want(c)]
        return sum(c["pass"] for c in mine), len(mine)

    def positive(scope):
        return lambda c: (c["label"] == "positive" and c["scope"] == scope
                          and c["source"] != "creddata")

    def clean(c):
        return (c["label"] == "negative" and c["scope"] == "any")
    return {
        "format": of(positive("format")),
        "context": of(positive("context")),
        "clean negatives left": of(lambda c: clean(c)
                                   and c["source"] != "creddata"),
        "all clean negatives left": of(clean),
        "CredData true": of(lambda c: c["label"] == "positive"
                            and c["source"] == "creddata"),
        "CredData false left": of(lambda c: c["label"] == "negative"
                                  and c["source"] == "creddata"),
    }


BARS = {"format": 97.0, "context": 65.0, "all clean negatives left": 99.5,
        "CredData true": 55.0, "CredData false left": 98.5}

MOVES_MOST = 1.0  # a figure, in points, when a tenth is left out


def share(pair):
    return 100.0 * pair[0] / pair[1] if pair[1] else 0.0


NAMES = {"format": "values with a format of their own",
         "context": "values known by their context",
         "clean negatives left": "texts without a secret that stay, but CredData's",
         "all clean negatives left": "texts without a secret that stay as they are",
         "CredData true": "CredData: true lines found",
         "CredData false left": "CredData: false lines left"}


def table(cases):
    rows = collections.defaultdict(lambda: [0, 0])
    for c in cases:
        row = rows[(c["source"], c["label"], c["scope"])]
        row[0] += c["pass"]
        row[1] += 1
    print(f"{'source':16} {'label':9} {'scope':8} {'pass':>6} {'of':>6} {'%':>6}")
    for key, row in sorted(rows.items()):
        print("%-16s %-9s %-8s %6d %6d %6.1f" % (*key, *row, share(row)))


def found_in(cases):
    """(positives, clean negatives) in which a rule found something."""
    return (sum(bool(c["rules"]) for c in cases if c["label"] == "positive"),
            sum(bool(c["rules"]) for c in cases
                if c["label"] == "negative" and c["scope"] == "any"))


def precision(hits, false):
    return f"{100 * hits / (hits + false):.1f} %" if hits + false else ""


def per_source(cases):
    """Rows: source, positives, recall, clean negatives, touched, precision."""
    for source in sorted({c["source"] for c in cases}):
        mine = [c for c in cases if c["source"] == source]
        positives = [c for c in mine if c["label"] == "positive"]
        clean = [c for c in mine if c["label"] == "negative" and c["scope"] == "any"]
        recall = share((sum(c["pass"] for c in positives), len(positives)))
        yield (source, len(positives), f"{recall:.1f} %", len(clean),
               sum(not c["pass"] for c in clean), precision(*found_in(mine)))


def per_rule(cases):
    """Rows, worst first: rule, hits on positives, on clean negatives, precision."""
    hits = collections.Counter()
    false = collections.Counter()
    for c in cases:
        for name in set(c["rules"]):
            if c["label"] == "positive":
                hits[name] += 1
            elif c["scope"] == "any":
                false[name] += 1
    for name in sorted(set(hits) | set(false),
                       key=lambda n: (-false[n], -hits[n], n)):
        yield name, hits[name], false[name], precision(hits[name], false[name])


SOURCE_HEAD = ("source", "positives", "recall", "clean negatives", "touched",
               "precision")
RULE_HEAD = ("rule", "positives", "clean negatives", "precision")


def show(form, head, rows):
    print()
    for row in (head, *rows):
        print(form % row)


def stability(cases):
    """How far each figure moves when one tenth of the cases is left out."""
    whole = measures(cases)
    worst = dict.fromkeys(whole, 0.0)
    for tenth in range(10):
        some = [c for c in cases if c["tenth"] != tenth]
        for name, pair in measures(some).items():
            moved = abs(share(pair) - share(whole[name]))
            worst[name] = max(worst[name], moved)
    return worst


def write(path, cases, moved, tables):
    sources, rules = tables
    readme.put(path, "unknown secrets", readme.table(
        ("", "covered", "of", "bar", "without any tenth"),
        [(NAMES[name], f"{share(pair):.1f} %", f"{pair[1]:,}",
          f"≥ {BARS[name]:g} %", f"± {moved[name]:.1f}")
         for name, pair in measures(cases).items() if name in BARS]))
    readme.put(path, "sources", readme.table(SOURCE_HEAD, sources))
    false = [r for r in rules if r[2]]
    clean = len(rules) - len(false)
    hits = sum(r[1] for r in rules if not r[2])
    readme.put(path, "rules", readme.table(
        RULE_HEAD, [*false, (f"{clean} others", hits, 0, precision(hits, 0))]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/release")
    parser.add_argument("--level", default="default")
    parser.add_argument("--list", choices=["missed", "touched"])
    parser.add_argument("--source")
    parser.add_argument("--scope")
    parser.add_argument("--readme", metavar="FILE")
    args = parser.parse_args()
    corpus = os.environ.get("AG_CORPUS")
    if not corpus:
        print("quality: AG_CORPUS names no corpus; nothing is measured")
        return 0
    cases = list(load(corpus))
    texts = [c["text"].encode() for c in cases]
    for c, text, (out, rules) in zip(cases, texts, redact(
            f"{args.bin}/quality_rules", f"{args.bin}/rules", args.level, texts)):
        c["pass"] = passes(c, text, out)
        c["rules"] = [r.removeprefix("rule:") for r in rules]
        c["out"] = out
    # Each tenth has its share of every source, kind and length of value: so few
    # lines as CredData's true ones else differ by chance (by 1.5 points).
    for n, c in enumerate(sorted(cases, key=lambda c: (
            c["source"], c["label"], c["scope"], c["rule"],
            len(c["secret"]), c["id"]))):
        c["tenth"] = n % 10
    if args.list:
        want = "positive" if args.list == "missed" else "negative"
        for c in cases:
            if (c["label"] == want and not c["pass"]
                    and (c["scope"] == "any" or want == "positive")
                    and args.source in (None, c["source"])
                    and args.scope in (None, c["scope"])):
                print(json.dumps({k: c[k] for k in
                                  ("source", "rule", "scope", "rules", "secret", "text")}))
        return 0
    table(cases)
    sources = list(per_source(cases))
    rules = list(per_rule(cases))
    show("%-16s %9s %8s %15s %8s %9s", SOURCE_HEAD, sources)
    show("%-44s %9s %15s %9s", RULE_HEAD, rules)
    moved = stability(cases)
    print(f"\n{'measure':26} {'pass':>6} {'of':>6} {'%':>6} {'bar':>6} {'moves by':>9}")
    bad = 0
    for name, pair in measures(cases).items():
        bar = BARS.get(name)
        missed = bar is not None and pair[1] > 0 and share(pair) < bar
        bad += missed or moved[name] > MOVES_MOST
        print("%-26s %6d %6d %6.2f %6s %9.2f%s" % (
            name, *pair, share(pair), bar or "", moved[name],
            "  MISSED" if missed else ""))
    if args.readme:
        write(args.readme, cases, moved, (sources, rules))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
