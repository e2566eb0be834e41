"""bench.py - runs the benchmarks and prints one table.

Every ratio has both sides measured in one run, interleaved by round; the
figure is the median over the rounds. Where the processor decides, CPU time of
the server per request is compared (scheduler accounting), which holds on a busy
machine. Works in a scratch home with a vault of its own.
"""
import argparse
import glob
import json
import os
import re
import secrets
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import keys
import minting
import rotation
from proxy import Proxy
from redaction import Redaction
import view

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
REST_S = 2.5


def fields(text):
    """The last line of KEY=VALUE."""
    rows = [l for l in text.strip().split("\n") if "=" in l]
    if not rows:
        sys.exit("bench: no figures in: " + text[-500:])
    return {k: float(v) for k, v in
            (pair.split("=") for pair in rows[-1].split())}


def cpu_ns(pid):
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try:
            with open(path, encoding="ascii") as f:
                total += int(f.read().split()[0])
        except OSError:
            pass
    return total


def rss_mib(pid):
    """At rest: the broker gives memory back after a second without work."""
    time.sleep(REST_S)
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1)) / 1024


class Bench:
    def __init__(self, args):
        self.bin = os.path.abspath(args.bin)
        self.rounds = args.rounds
        self.scale = 0.2 if args.quick else 1.0
        self.dir = tempfile.mkdtemp(prefix="agb.", dir="/tmp")
        self.disk = tempfile.mkdtemp(prefix="agbench.",
                                     dir=os.path.join(ROOT, "build"))
        self.env = {"PATH": f"{self.bin}:/usr/bin:/bin:/usr/sbin",
                    "HOME": os.path.join(self.disk, "home"),
                    "XDG_RUNTIME_DIR": os.path.join(self.dir, "run"),
                    "AUTH_GUARD_PASSPHRASE_FILE":
                        os.path.join(self.dir, "passphrase"),
                    "LANG": "C.UTF-8"}
        config = os.path.join(self.env["HOME"], ".config", "auth-guard")
        os.makedirs(config)
        with open(os.path.join(config, "settings.ini"), "w",
                  encoding="ascii") as f:
            f.write("[task]\ntokens_max = 1000000\n"
                    f"[upstream]\nca_file = {self.env['HOME']}/roots.pem\n")
        os.chmod(f.name, 0o600)
        os.mkdir(self.env["XDG_RUNTIME_DIR"], 0o700)
        fd = os.open(self.env["AUTH_GUARD_PASSPHRASE_FILE"],
                     os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(fd, secrets.token_urlsafe(24).encode() + b"\n")
        os.close(fd)
        self.work = os.path.join(self.dir, "work")  # never the whole home
        os.mkdir(self.work)
        self.sock = os.path.join(self.env["XDG_RUNTIME_DIR"], "auth-guard")
        self.rows = []
        self.others = []
        self.closers = []
        self.proxy = Proxy(self)

    fields = staticmethod(fields)
    cpu_ns = staticmethod(cpu_ns)

    def tool(self, name):
        return os.path.join(self.bin, "bench_" + name)

    def run(self, *cmd, text=None, check=True):
        done = subprocess.run(cmd, env=self.env, cwd=self.work,
                              input=text, text=True,
                              capture_output=True, check=False)
        if check and done.returncode != 0:
            sys.exit(f"bench: {' '.join(cmd)}: exit {done.returncode}: "
                     f"{done.stderr[-800:]}{done.stdout[-200:]}")
        return done.stdout

    def json(self, *cmd):
        return json.loads(self.run(*cmd, "--json"))

    def row(self, name, value, unit, base=None, base_name="", budget="",
            ok=None, inverse=False):
        ratio = None
        if base:
            ratio = base / value if inverse else value / base
        self.rows.append((name, value, unit, base_name, base, ratio, budget,
                          ok))
        print_row(self.rows[-1])

    # -- the broker

    def start(self):
        self.run("auth-guard", "init")
        self.broker = self.pid_of_broker()

    def pid_of_broker(self):
        return int(json.loads(self.run("auth-guard", "status",
                                       "--json"))["pid"])

    def stop(self):
        self.run("auth-guard", "stop", check=False)
        for close in self.closers:
            close()
        for p in self.others:
            p.terminate()  # nginx takes its workers along, if it is asked
        for p in self.others:
            p.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.disk, ignore_errors=True)

    def load(self, *args, in_task=None):
        """Figures of one load run; in_task: grants of the task around it."""
        cmd = [self.tool("load"), *args]
        if in_task is None:
            return fields(self.run(*cmd))
        script = ('exec "$0" "$@" -H "Authorization: Bearer '
                  '$AUTH_GUARD_TOKEN"')
        grants = [w for g in in_task for w in ("--grant", g)]
        return fields(self.run("auth-guard", "run", "--no-isolate", *grants, "--", "sh", "-c",
                               script, *cmd))

    def with_cpu(self, pid, call):
        before = cpu_ns(pid)
        out = call()
        out["cpu_us"] = (cpu_ns(pid) - before) / 1000 / out["requests"]
        return out

    def put_many(self, first, count):
        if count <= 0:
            return
        junk = secrets.token_urlsafe(18)
        self.load("-u", self.sock + "/admin.sock", "-m", "PUT", "-c", "16",
                  "-n", str(count), "-p", f"/v1/secrets/bench%2Fs{first}n%d",
                  "-b", '{"value":"v%d-' + junk + str(first)
                  + '","encoding":"text"}')

    # -- cases

    def trivial(self):
        path = os.path.join(self.dir, "m.sock")
        p = subprocess.Popen([self.tool("mhd_trivial"), path, "2"],
                             stdout=subprocess.PIPE, text=True,
                             start_new_session=True)  # as the broker is
        self.others.append(p)
        port = p.stdout.readline().strip()
        return p.pid, path, port

    def api(self):
        n = str(int(30000 * self.scale))
        few = str(int(4000 * self.scale))
        mhd, msock, _ = self.trivial()
        task = self.sock + "/task.sock"
        secret = "/v1/secrets/bench%2Fsecret/value"
        grant = ["bench/secret:read"]
        got = {k: [] for k in ("mhd", "read", "mhd1", "read1")}
        for _ in range(self.rounds):
            # Both clients in a task: what a session's processes get of a
            # busy machine is shared out per session (autogroup).
            got["mhd"].append(self.with_cpu(mhd, lambda: self.load(
                "-u", msock, "-n", n, in_task=grant)))
            got["read"].append(self.with_cpu(self.broker, lambda: self.load(
                "-u", task, "-n", n, "-p", secret, in_task=grant)))
            got["mhd1"].append(self.load("-u", msock, "-n", few, "-c", "1",
                                         in_task=grant))
            got["read1"].append(self.load("-u", task, "-n", few, "-c", "1",
                                          "-p", secret, in_task=grant))
        med = {k: {f: statistics.median(r[f] for r in v) for f in v[0]}
               for k, v in got.items()}
        m, r = med["mhd"], med["read"]
        self.row("secret read, Unix, 16 callers: CPU", r["cpu_us"], "us/req",
                 m["cpu_us"], "MHD constant", "<= 2.2x",
                 r["cpu_us"] <= 2.2 * m["cpu_us"])
        self.row("secret read, Unix, 16 callers: rate", r["rps"], "req/s",
                 m["rps"], "MHD constant")
        self.row("secret read, p50, 16 callers", r["p50_us"], "us",
                 m["p50_us"], "MHD constant")
        self.row("secret read, p99, 16 callers", r["p99_us"], "us",
                 m["p99_us"], "MHD constant", "<= 3x",
                 r["p99_us"] <= 3 * m["p99_us"])
        self.row("secret read, p50, one caller", med["read1"]["p50_us"], "us",
                 med["mhd1"]["p50_us"], "MHD constant", "<= 30 us",
                 med["read1"]["p50_us"] <= 30)
        return med["read"]["cpu_us"]

    def issue(self):
        n = int(8000 * self.scale)
        raw, lite, issue = [], [], []
        for _ in range(self.rounds):
            raw.append(fields(self.run(self.tool("durable"), "raw", self.disk,
                                       str(n // 4)))["per_s"])
            lite.append(fields(self.run(self.tool("durable"), "sqlite",
                                        self.disk, str(n // 4)))["per_s"])
            issue.append(self.load(
                "-u", self.sock + "/task.sock", "-m", "POST", "-p",
                "/v1/tokens", "-b", '{"ttl_s":60}', "-s", "200", "-n",
                str(n), in_task=["bench/secret:read"])["rps"])
        rate = statistics.median(issue)
        self.row("token issue, durable, 16 callers", rate, "1/s",
                 statistics.median(raw), "raw fdatasync loop", ">= 1.2x",
                 rate >= 1.2 * statistics.median(raw))
        self.row("token issue, durable, 16 callers", rate, "1/s",
                 statistics.median(lite), "SQLite, a commit each", ">= 2x",
                 rate >= 2 * statistics.median(lite))

    def text_file(self):
        path = os.path.join(self.dir, "text")
        words = [secrets.token_urlsafe(6) for _ in range(4000)]
        with open(path, "w", encoding="ascii") as f:
            for i in range(120000):
                f.write(words[i * 7919 % 4000] + " "
                        + words[i * 104729 % 4000] + ("\n" if i % 6 == 0
                                                      else " "))
        return path

    def filters(self):
        path = self.text_file()
        mb = str(int(2000 * self.scale))
        list_path = os.path.join(self.dir, "patterns")
        with open(list_path, "w", encoding="ascii") as f:
            for _ in range(100):
                f.write(secrets.token_urlsafe(24) + "\n")
        got = {"cat": [], "grep": [], "redact": []}
        for _ in range(self.rounds):
            got["cat"].append(fields(self.run(
                self.tool("pipe"), mb, path, "--", "cat"))["mb_s"])
            got["grep"].append(fields(self.run(
                self.tool("pipe"), mb, path, "--", "grep", "-avF", "-f",
                list_path))["mb_s"])
            got["redact"].append(fields(self.run(
                self.tool("pipe"), mb, path, "--", "auth-guard",
                "redact"))["mb_s"])
        med = {k: statistics.median(v) for k, v in got.items()}
        self.row("filter, 100 secrets, through a pipe", med["redact"], "MB/s",
                 med["cat"], "cat", ">= 0.45x",
                 med["redact"] >= 0.45 * med["cat"])
        self.row("filter, 100 secrets, through a pipe", med["redact"], "MB/s",
                 med["grep"], "grep -F, 100 raw values")

    def in_process(self):
        """Programs that print their own rows: NAME VALUE UNIT BUDGET OK."""
        for name in ("filter_bench", "store_bench", "api_baseline"):
            path = self.tool(name)
            if os.path.exists(path):
                print(f"-- {name}")
                print(self.run(path).rstrip())

    def same_view(self):
        """bubblewrap with a task's namespaces and mounts."""
        blank = os.path.join(self.dir, "blank")
        os.mkdir(blank)
        return ["bwrap", *view.options(
            self.run("auth-guard", "run", "--", "cat", "/proc/self/mountinfo"),
            blank), "/usr/bin/true"]

    def starts(self):
        rounds = str(int(200 * self.scale))
        out = self.run(
            self.tool("spawn"), rounds, "--", self.tool("empty"), "--",
            "auth-guard", "--version", "--", "bwrap", "--ro-bind", "/", "/",
            "--tmpfs", "/tmp", "/bin/true", "--", "auth-guard", "run",
            "/bin/true", "--", "auth-guard", "run", "--no-isolate",
            "/bin/true", "--", "/bin/true", "--", "sh", "-c",
            "auth-guard redact </dev/null", "--", "sh", "-c", ":", "--",
            "bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/",
            "/", "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev",
            "/bin/true", "--", *self.same_view())
        lines = [fields(line) for line in out.strip().split("\n")]
        rows = [line["med_ms"] for line in lines]
        empty, version, bwrap, run, bare, true, redact, shell = rows[:8]
        cpu = [line["cpu_ms"] for line in lines]
        self.row("auth-guard --version", version, "ms", empty,
                 "empty, libsodium + jansson", "<= 1.3x",
                 version <= 1.3 * empty)
        self.row("auth-guard redact </dev/null", redact - shell, "ms", empty,
                 "empty, libsodium + jansson", "<= 1.3x",
                 redact - shell <= 1.3 * empty)
        self.row("auth-guard run -- true", run, "ms", bwrap,
                 "bubblewrap, one tmpfs", "<= 1.5x", run <= 1.5 * bwrap)
        self.row("auth-guard run -- true: CPU", cpu[3], "ms", cpu[2],
                 "bubblewrap, one tmpfs")
        for i, name in ((8, "bubblewrap, all namespaces, /proc, /dev"),
                        (9, "bubblewrap, the same view")):
            self.row("auth-guard run -- true", run, "ms", rows[i], name)
            self.row("auth-guard run -- true: CPU", cpu[3], "ms", cpu[i], name)
        self.row("auth-guard run --no-isolate -- true", bare, "ms", bwrap,
                 "bubblewrap, one tmpfs")
        self.row("auth-guard run -- true", run, "ms", true, "true",
                 "<= 3 ms", run <= 3)

    def memory_and_scale(self, read_us):
        small = rss_mib(self.broker)
        self.row("broker, resident, 100 secrets", small, "MiB")
        many = int(10000 * self.scale)
        self.put_many(10, many)
        self.row(f"broker, resident, {many} secrets", rss_mib(self.broker),
                 "MiB", small, "100 secrets")
        kids = [p for p in self.children(self.broker)]
        for pid, name in kids:
            self.row(f"{name}, resident, {many} secrets", rss_mib(pid), "MiB")
        self.read_again(read_us, f"{many} secrets")
        tokens = int(100000 * self.scale)
        self.load("-u", self.sock + "/task.sock", "-m", "POST", "-p",
                  "/v1/tokens", "-b", '{"ttl_s":600,"unbound":false}', "-s",
                  "200", "-n", str(many), in_task=["bench/secret:read"])
        mem = rss_mib(self.broker)
        self.row(f"broker, resident, {many} secrets, {many} tokens", mem,
                 "MiB", None, "", "<= 12 MiB", mem <= 12)
        self.hold_tokens(tokens, read_us)

    def hold_tokens(self, tokens, read_us):
        """A task that holds many tokens while another reads."""
        script = ('"$0" -u "$1/task.sock" -m POST -p /v1/tokens '
                  '-b "{\\"ttl_s\\":3000}" -s 200 -n "$2" -H '
                  '"Authorization: Bearer $AUTH_GUARD_TOKEN" && sleep 60')
        p = subprocess.Popen(
            ["auth-guard", "run", "--no-isolate", "--grant", "bench/secret:read", "--", "sh",
             "-c", script, self.tool("load"), self.sock, str(tokens)],
            env=self.env, stdout=subprocess.PIPE, text=True)
        p.stdout.readline()
        self.read_again(read_us, f"{tokens} live tokens")
        p.send_signal(signal.SIGTERM)
        p.wait()

    def read_again(self, before_us, what):
        n = str(int(20000 * self.scale))
        got = [self.with_cpu(self.broker, lambda: self.load(
            "-u", self.sock + "/task.sock", "-n", n, "-p",
            "/v1/secrets/bench%2Fsecret/value",
            in_task=["bench/secret:read"]))["cpu_us"] for _ in range(3)]
        self.row(f"secret read with {what}: CPU", statistics.median(got),
                 "us/req", before_us, "100 secrets")

    @staticmethod
    def children(pid):
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(path, encoding="ascii", errors="replace") as f:
                    text = f.read()
                rest = text.rsplit(")", 1)[1].split()
                if int(rest[1]) != pid:
                    continue
                kid = int(text.split()[0])
                with open(f"/proc/{kid}/cmdline", "rb") as f:
                    argv = f.read().decode().split("\0")
                yield kid, argv[1].lstrip("-") if len(argv) > 1 else "child"
            except OSError:
                continue


def print_row(row):
    name, value, unit, base_name, base, ratio, budget, ok = row
    figure = f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
    against = ""
    if base:
        figure_base = f"{base:,.2f}" if base < 100 else f"{base:,.0f}"
        against = f"{figure_base} {base_name}"
    verdict = {None: "", True: "met", False: "MISSED"}[ok]
    print(f"{name:44} {figure:>10} {unit:7} {against:38} "
          f"{f'{ratio:.2f}x' if ratio else '':8} {budget:9} {verdict}",
          flush=True)


def describe():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        cpu = re.search(r"model name\s*: (.*)", f.read())
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short",
                             "HEAD"], capture_output=True, text=True,
                            check=False).stdout.strip()
    print(f"{os.cpu_count()} cores, {cpu.group(1) if cpu else '?'}, "
          f"Linux {os.uname().release}, commit {commit}, "
          f"{time.strftime('%Y-%m-%d')}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", default=os.path.join(ROOT, "build/release"))
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--quick", action="store_true")
    p.add_argument("--only", choices=("api", "keys", "proxy",
                                      "tunnel", "redaction", "rotation",
                                      "minting"))
    p.add_argument("--stream", type=int, metavar="GIB",
                   help="with --only redaction: memory over so much text alone")
    args = p.parse_args()
    describe()
    b = Bench(args)
    try:
        b.start()
        if args.only == "redaction":
            return 0 if Redaction(b, args).rows() else 1
        b.run("auth-guard", "put", "bench/secret",
              text=secrets.token_urlsafe(32))
        b.put_many(1, 99)
        if args.only in (None, "api"):
            b.starts()
            read_us = b.api()
            b.issue()
            b.filters()
            b.in_process()
        if args.only in (None, "keys"):
            keys.rows(b)
        if args.only in (None, "rotation"):
            rotation.rows(b)
        if args.only in (None, "minting"):
            minting.rows(b)
        if args.only not in ("api", "keys", "rotation", "minting"):
            b.proxy.rows(args.only)
        if args.only in (None, "api"):
            b.memory_and_scale(read_us)
        return 0
    finally:
        b.stop()


if __name__ == "__main__":
    sys.exit(main())
