"""redaction.py - the filter's speed beside `cat`, ripgrep -F, grep -F, sed and
secretlint on one text, all interleaved by round, the best of each; its start; its
memory over a long stream (bench.py --only redaction [--stream GIB]).

What the others are asked is less: ripgrep and grep drop lines that have a value
as it is, ripgrep also puts a mark in its place (ours: in every form, and only the
value); sed replaces values as they are; secretlint knows formats only, says
where (stylish) or puts out the text without them (mask-result). MB/s by the
clock, through a pipe, and MB of text per second of processor time that the tool
took, the filter process included; ratios are of the latter, which hold on a busy
machine. --stream GIB: nothing but memory over so much text.
"""
import concurrent.futures
import http.client
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

import transcript

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

SECRETLINT = {20: "11.7.1", 14: "9.3.4"}  # by the major version of Node it needs
SAMPLE_S = 0.05
COUNTS = (1, 100, 1000, 10000)  # of values
FLAT_MIB = 0.5  # own memory may grow by so much once a tenth of a stream is through
MOST_MIB = 32  # the filter's budget


class OverSocket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def status_mib(pids):
    """[resident of their own, all resident, locked]: programs and libraries are
    pages of files, mapped as they are needed, and no process's own."""
    total = [0, 0, 0]
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
                kib = dict(re.findall(r"(\w+):\s+(\d+) kB", f.read()))
        except OSError:
            continue
        total[0] += int(kib.get("RssAnon", 0)) + int(kib.get("RssShmem", 0))
        total[1] += int(kib.get("VmRSS", 0))
        total[2] += int(kib.get("VmLck", 0))
    return [t / 1024 for t in total]


class Redaction:
    def __init__(self, bench, args):
        self.b = bench
        self.args = args
        self.rnd = random.Random()
        self.seed = self.rnd.randrange(1 << 62)
        self.values = transcript.values(self.rnd, 10000)
        self.put_count = 0
        self.path = os.path.join(self.b.dir, "text")
        self.list = os.path.join(self.b.dir, "list")
        self.script = os.path.join(self.b.dir, "script")

    # -- the vault and the text

    def put(self, count):
        """As many of the values as `count` are in the vault."""
        new = range(self.put_count, count)
        self.put_count = count

        def some(part):
            c = OverSocket(self.b.sock + "/admin.sock")
            for i in part:
                c.request("PUT", f"/v1/secrets/bench%2Fr{i}", json.dumps(
                    {"value": self.values[i], "encoding": "text"}),
                    {"Content-Type": "application/json"})
                answer = c.getresponse()
                body = answer.read()
                if answer.status not in (200, 201, 204):
                    sys.exit(f"redaction: put: {answer.status} {body[:300]}")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(some, [new[i::8] for i in range(8)]))
        with open(self.list, "w", encoding="ascii") as f:
            f.writelines(v + "\n" for v in self.values[:count])
        with open(self.script, "w", encoding="ascii") as f:
            f.writelines("s/%s/[redacted]/g\n" % re.escape(v).replace("/", "\\/")
                         for v in self.values[:count])

    def write_text(self, mib):
        with open(self.path, "wb") as f:
            for part in transcript.blocks(self.seed, self.values[:1], mib):
                f.write(part)

    def filter_pid(self):
        return next(p for p, name in self.b.children(self.b.broker) if "filter" in name)

    # -- speed

    def once(self, mb, piece, cmd, pid=None):
        """(MB/s by the clock, MB/s of processor time) of one run."""
        before = self.b.cpu_ns(pid) if pid else 0
        got = self.b.fields(self.b.run(self.b.tool("pipe"), str(mb), self.path, str(piece),
                                "--", *cmd))
        cpu_ms = got["cpu_ms"]
        if pid:
            cpu_ms += (self.b.cpu_ns(pid) - before) / 1e6
        return got["mb_s"], mb * 1000 / max(cpu_ms, 0.5)

    def sides(self, count):
        """name: (MB a run, bytes a read, command, whose processor time besides)."""
        pid = self.filter_pid()
        env = ("env", "LC_ALL=C")
        rows = {"cat": (400, 65536, ("cat",), None)}
        if shutil.which("rg"):
            rows["ripgrep -F"] = (100, 65536, (*env, "rg", "-avF", "-f", self.list), None)
            rows["ripgrep -F, replacing"] = (
                100, 65536, (*env, "rg", "-aF", "--passthru", "-r", "[redacted]",
                             "-f", self.list), None)
        rows["grep -F"] = (30, 65536, (*env, "grep", "-avF", "-f", self.list), None)
        if count <= 1000:
            rows["sed"] = (max(200 // count, 1), 65536,
                           (*env, "sed", "-f", self.script), None)
        for level in "known", "default":
            for piece, mb in (65536, 400 if level == "known" else 200), (4096, 100):
                rows[f"redact --rules {level}, {piece >> 10} KiB"] = (
                    mb, piece, ("auth-guard", "redact", "--rules", level), pid)
        lint = self.secretlint() if count == 100 else None
        if lint:
            rows["secretlint, stylish"] = (30, 65536, (*lint, "stylish"), None)
            rows["secretlint, mask-result"] = (8, 65536, (*lint, "mask-result"), None)
        return rows

    def secretlint(self):
        """The command but for its format; None where it can't be had."""
        where = os.path.join(ROOT, "build", "secretlint")
        node = shutil.which("node")
        if not node or not shutil.which("npm"):
            print("secretlint: left out, Node and npm are not here")
            return None
        major = int(subprocess.run([node, "-v"], capture_output=True, text=True,
                                   check=True).stdout[1:].split(".")[0])
        version = next(v for least, v in SECRETLINT.items() if major >= least)
        rule = "@secretlint/secretlint-rule-preset-recommend"
        done = subprocess.run(
            ["npm", "install", "--prefix", where, "--no-audit", "--no-fund",
             "--loglevel=error", f"secretlint@{version}", f"{rule}@{version}"],
            capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print("secretlint: left out, npm can't install it: "
                  + done.stderr.strip()[:200])
            return None
        config = os.path.join(where, "config.json")
        with open(config, "w", encoding="ascii") as f:
            json.dump({"rules": [{"id": rule}]}, f)
        # It ends with 1 when it has found something.
        return ("sh", "-c", f'cd "{where}" && node node_modules/secretlint/bin/secretlint.js '
                '--stdinFileName a.txt --secretlintrc config.json --no-color --format "$0" '
                '|| [ $? -eq 1 ]')

    def speed(self, count):
        self.put(count)
        rows = self.sides(count)
        got = {name: [] for name in rows}
        for _ in range(self.args.rounds):
            for name, (mb, piece, cmd, pid) in rows.items():
                if self.args.quick and not name.startswith("secretlint"):
                    mb = mb // 4 or 1  # that one's start would count for too much
                got[name].append(self.once(mb, piece, cmd, pid))
        best = {n: [max(x) for x in zip(*g)] for n, g in got.items()}
        cat = best["cat"]
        print(f"\n{count} values\n{'':30} {'MB/s':>8} {'as cat':>7} {'MB/s CPU':>9}"
              f" {'known':>7} {'default':>8}")
        ours = [best[f"redact --rules {level}, 64 KiB"][1]
                for level in ("known", "default")]
        for name, (wall, cpu) in best.items():
            print(f"{name:30} {wall:8.1f} {wall / cat[0]:7.3f} {cpu:9.1f} "
                  f"{ours[0] / cpu:6.1f}x {ours[1] / cpu:7.1f}x", flush=True)
        if count == 100:
            self.budgets(best)

    @staticmethod
    def budgets(best):
        """Those of DESIGN.md, for 100 values."""
        def cpu(level, size):
            return best[f"redact --rules {level}, {size} KiB"][1]
        wall = best["redact --rules known, 64 KiB"][0] / best["cat"][0]
        rows = [("known, MB/s CPU", cpu("known", 64), 1000),
                ("known, as cat", wall, 0.45),
                ("default, 64 KiB, MB/s CPU", cpu("default", 64), 400),
                ("default, 4 KiB, MB/s CPU", cpu("default", 4), 100)]
        rows += [(f"default, CPU against {name}", cpu("default", 64) / row[1], 15)
                 for name, row in best.items() if name.startswith("secretlint")]
        for name, value, least in rows:
            print(f"budget: {name:45} {value:8.2f} >= {least:<6g} "
                  f"{'met' if value >= least else 'MISSED'}")

    # -- start

    def start_time(self):
        small = os.path.join(self.b.dir, "small")
        with open(self.path, "rb") as f, open(small, "wb") as out:
            out.write(f.read(4096))
        redact = ("auth-guard", "redact", "--rules")
        empty = (self.b.tool("empty"),)
        print(f"\nstart, 4 KiB of text, {self.put_count} values"
              f"\n{'':34} {'least ms':>9} {'median':>7} {'CPU':>5} {'against empty':>14}")
        self.spawn(self.b.env, {"an empty program": empty,
                                "auth-guard --version": ("auth-guard", "--version"),
                                "redact --rules known": (*redact, "known", small),
                                "redact --rules default": (*redact, "default", small)})
        self.spawn(self.bare(), {"an empty program": empty, "redact --rules default, no vault":
                                 (*redact, "default", small)})

    def bare(self):
        """The environment of one who has no vault."""
        return {**self.b.env, "AUTH_GUARD_HOME": "/nonexistent"}

    def spawn(self, env, rows):
        words = [w for cmd in rows.values() for w in ("--", *cmd)]
        out = subprocess.run([self.b.tool("spawn"), "40" if self.args.quick else "300", *words],
                             env=env, cwd=self.b.work, capture_output=True, text=True,
                             check=True).stdout
        figures = [self.b.fields(line) for line in out.strip().split("\n")]
        for name, f in zip(rows, figures):
            print(f"{name:34} {f['min_ms']:9.2f} {f['med_ms']:7.2f} {f['cpu_ms']:5.2f} "
                  f"{f['min_ms'] / figures[0]['min_ms']:14.2f}", flush=True)

    # -- memory

    def stream(self, gib, args, pid_of_filter, env):
        """Ever changing text of `gib` GiB through redact; what it held meanwhile."""
        p = subprocess.Popen(["auth-guard", "redact", *args], env=env, cwd=self.b.work,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        out = [0]
        sent = 0
        samples = []
        pids = [p.pid, *([pid_of_filter] if pid_of_filter else [])]

        def drain():
            while part := os.read(p.stdout.fileno(), 1 << 20):
                out[0] += len(part)

        def sample():
            while p.poll() is None:
                samples.append([sent, *status_mib(pids)])
                time.sleep(SAMPLE_S)
        threads = [threading.Thread(target=t) for t in (drain, sample)]
        begun = time.monotonic()
        for t in threads:
            t.start()
        text = b"".join(transcript.blocks(self.seed + 1, self.values, 24))
        while sent < gib << 30:
            at = self.rnd.randrange(len(text) - (1 << 18))
            part = text[at:at + self.rnd.randrange(1, 1 << 18)]
            line = b"\n%d %s\n" % (sent, self.rnd.randbytes(24).hex().encode())
            p.stdin.write(line + part)
            sent += len(line) + len(part)
        p.stdin.close()
        for t in threads:
            t.join()
        took = time.monotonic() - begun
        if p.wait() != 0 or not out[0] or len(samples) < 20:
            sys.exit(f"redaction: a stream of {gib} GiB: exit {p.returncode}")
        return sent, took, samples

    def memory(self, gib):
        self.put(max(self.put_count, 1000))
        print(f"\na stream of {gib} GiB: MiB of command line and filter process together"
              f"\n{'':30} {'own, first tenth':>16} {'own, rest':>10} {'resident':>9}"
              f" {'locked':>7} {'MB/s':>6}")
        good = True
        for name, args, pid, env in (
                (f"{self.put_count} values, --rules default",
                 ("--rules", "default"), self.filter_pid(), self.b.env),
                ("no vault, --rules default", ("--rules", "default"), None, self.bare())):
            sent, took, samples = self.stream(gib, args, pid, env)
            first = max(s[1] for s in samples if s[0] <= sent / 10)
            rest = max(s[1] for s in samples if s[0] > sent / 10)
            most = max(s[2] for s in samples)
            flat = rest <= first + FLAT_MIB and most <= MOST_MIB
            good = good and flat
            print(f"{name:30} {first:16.1f} {rest:10.1f} {most:9.1f} "
                  f"{max(s[3] for s in samples):7.1f} {sent / took / 1e6:6.0f}"
                  f"  {'flat' if flat else 'NOT FLAT'}", flush=True)
        return good

    def rows(self):
        """Prints all; is the memory as it must be?"""
        if self.args.stream:
            return self.memory(self.args.stream)
        self.write_text(16 if self.args.quick else 64)
        print(f"{os.path.getsize(self.path) >> 20} MiB of text as transcripts have it, "
              f"the best of {self.args.rounds} rounds; x: so many times as fast, by CPU, "
              "are `redact --rules known` and `default` at 64 KiB")
        for count in COUNTS:
            self.speed(count)
            if count == 100:
                self.start_time()
        return self.memory(1)
