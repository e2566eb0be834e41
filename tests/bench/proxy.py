"""proxy.py - the reverse proxy against nginx that swaps the same header, over
the same service; its streams against a relay that only copies; a host whose TLS
the forward proxy ends against the same host tunnelled.

The service is an nginx of its own (constants of 1 and 64 KiB, a large file, by
http and by https), and bench_events. Ours is a real broker: the caller is in a
task, every request is decided, on the record, and its answer filtered.
"""
import os
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "common"))
import nginx

BIG_MB = 256

SERVICE = """
    server {{
        listen 127.0.0.1:{port}{tls};
        root {where}/www;
        default_type application/json;
    }}
"""

PROXY = """
    upstream u{port} {{
        server 127.0.0.1:{to};
        keepalive 64;
        keepalive_requests 10000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        listen unix:{where}/{port}.sock;
        location / {{
            proxy_pass {scheme}://u{port};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $proxy_host;
            proxy_set_header Authorization "Bearer {value}";
            proxy_ssl_session_reuse on;
            proxy_ssl_verify on;
            proxy_ssl_name localhost;
            proxy_ssl_trusted_certificate {where}/ca.pem;
        }}
    }}
"""


def median(rows):
    return {k: statistics.median(r[k] for r in rows) for k in rows[0]}


class Proxy:
    """Both sides of it. The CA must be there before the broker starts."""

    def __init__(self, bench):
        self.b = bench
        self.dir = os.path.join(bench.dir, "proxy")
        self.value = "sk-bench-" + os.urandom(18).hex()
        os.makedirs(os.path.join(self.dir, "www"))
        self.ca = self.certificates()

    def certificates(self):
        where = self.dir

        def openssl(*args):
            subprocess.run(["openssl", *args], cwd=where, check=True,
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)

        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes")
        openssl("req", "-x509", *curve, "-days", "2", "-subj", "/CN=bench",
                "-keyout", "ca.key", "-out", "ca.pem")
        openssl("req", *curve, "-subj", "/CN=127.0.0.1", "-keyout", "leaf.key",
                "-out", "leaf.csr")
        with open(f"{where}/leaf.ext", "w", encoding="ascii") as f:
            f.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey",
                "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
                "leaf.ext", "-out", "leaf.pem")
        home = os.path.join(self.b.env["HOME"], "roots.pem")
        shutil.copy(f"{where}/ca.pem", home)
        return home

    # -- what runs

    def spawn(self, *cmd):
        p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, text=True,
                             env=self.b.env, start_new_session=True)
        self.b.others.append(p)
        return p

    def nginx(self, name, servers, port):
        child = nginx.start(self.dir, name, servers, port,
                            "worker_processes 1")
        if child is None:
            raise SystemExit(f"bench: nginx does not start: {name}")
        self.b.others.append(child)
        return child.pid

    def start(self):
        www = os.path.join(self.dir, "www")
        line = '{"a":"' + "0123456789abcdef" * 3 + '"},\n'
        for name, size in (("1k", 1024), ("64k", 65536),
                           ("big", BIG_MB * 1024 * 1024)):
            with open(os.path.join(www, name), "w", encoding="ascii") as f:
                f.write((line * (size // len(line) + 1))[:size])
        subprocess.run(["chmod", "-R", "go+rX", self.b.dir], check=True)
        self.plain, self.tls = nginx.free_port(), nginx.free_port()
        keys = (f" ssl; ssl_certificate {self.dir}/leaf.pem; "
                f"ssl_certificate_key {self.dir}/leaf.key")
        self.nginx("service",
                   SERVICE.format(port=self.plain, where=self.dir, tls="")
                   + SERVICE.format(port=self.tls, where=self.dir, tls=keys),
                   self.plain)
        events = self.spawn(self.b.tool("events"), "serve")
        self.events = int(events.stdout.readline())
        relay = self.spawn(self.b.tool("relay"), str(self.plain))
        self.relay = int(relay.stdout.readline())
        self.bare = self.spawn(self.b.tool("bare"), f"{self.dir}/bare.sock",
                               str(self.plain), self.value)
        self.bare.stdout.readline()
        self.ports = {}
        for name, to in (("plain", self.plain), ("tls", self.tls),
                         ("events", self.events)):
            self.ports[name] = nginx.free_port()
        self.nginx_pid = self.nginx("proxy", "".join(
            PROXY.format(port=self.ports[name], to=to, where=self.dir,
                         scheme="https" if name == "tls" else "http",
                         value=self.value)
            for name, to in (("plain", self.plain), ("tls", self.tls),
                             ("events", self.events))), self.ports["plain"])
        self.b.run("auth-guard", "put", "bench/api", "--min-grade", "proxy",
                   text=self.value)

    # -- one measurement: a client, in a task either way

    def in_task(self, to, tool, words):
        """`words` may use $SOCK (task.sock), $PORT and $AT (path's beginning)
        of ours."""
        scheme = "https" if to == self.tls else "http"
        grant = (f"secret=ag://bench/api,upstream={scheme}://127.0.0.1:{to},"
                 "url-env=API_URL,key-env=API_KEY,inner")
        script = ('rest=${API_URL#http://127.0.0.1:}; PORT=${rest%%/*}; '
                  'AT=/${rest#*/}; SOCK=$1; shift; '
                  f'exec "$0" {words} -H "Authorization: Bearer $API_KEY"')
        return self.b.run("auth-guard", "run", "--no-isolate",
                          "--proxy", grant, "--", "sh",
                          "-c", script, self.b.tool(tool),
                          self.b.sock + "/task.sock")

    def by_forward_proxy(self, ends_here, path, count, callers, anew):
        """A TLS client in a task: the broker ends its TLS, or does not."""
        origin = f"localhost:{self.tls}"
        if ends_here:
            grant = ("--proxy", f"secret=ag://bench/api,upstream=https://{origin}"
                     ",key-env=API_KEY,inner")
            words = ('-a "$SSL_CERT_FILE" '
                     '-H "Authorization: Bearer $API_KEY"')
        else:
            grant = ("--allow", f"{origin},inner")
            words = f"-a {self.dir}/ca.pem"
        words += (f" -o {origin} -p /{path} -c {callers} "
                  f"-n {count // callers}" + (" -x" if anew else ""))
        before = self.cpu_of("ours")
        out = self.b.fields(self.b.run(
            "auth-guard", "run", "--no-isolate", *grant, "--", "sh", "-c",
            f'exec "$0" -t "${{HTTPS_PROXY##*:}}" {words}',
            self.b.tool("tunnel")))
        out["cpu_us"] = (self.cpu_of("ours") - before) / 1000 / out["requests"]
        return out

    def cpu_of(self, who):
        pid = {"nginx": self.nginx_pid, "bare": self.bare.pid}.get(
            who, self.b.broker)
        kids = [kid for kid, _ in self.b.children(pid)]
        return sum(self.b.cpu_ns(p) for p in [pid, *kids])

    def measure(self, who, to, path, count, callers, tcp=False, tool="load"):
        """who: direct, relay, nginx, bare or ours; to: plain, tls, events."""
        port = getattr(self, to)
        where = {"direct": f'-t {port} -p /{path}',
                 "relay": f'-t {self.relay} -p /{path}',
                 "bare": f'-u {self.dir}/bare.sock -p /{path}',
                 "ours": f'-t "$PORT" -p "$AT/{path}"' if tcp
                         else f'-u "$SOCK" -p "$AT/{path}"',
                 "nginx": f'-t {self.ports[to]} -p /{path}' if tcp else
                          f'-u {self.dir}/{self.ports[to]}.sock -p /{path}'}
        words = f"{where[who]} -n {count}"
        words = f"read {words}" if tool == "events" else \
            f"{words} -c {callers}"
        before = self.cpu_of(who)
        out = self.b.fields(self.in_task(port, tool, words))
        out["cpu_us"] = (self.cpu_of(who) - before) / 1000 / out["requests"]
        return out

    def rounds(self, sides, **args):
        """Medians of each side, interleaved by round."""
        got = {side: [] for side in sides}
        for side in sides:  # connections, caches
            self.measure(side, **{**args, "count": args["callers"]})
        for _ in range(self.b.rounds):
            for side in sides:
                got[side].append(self.measure(side, **args))
        return {side: median(rows) for side, rows in got.items()}

    # -- rows

    def loaded(self, to, path, count, tcp):
        way = ("TCP" if tcp else "Unix") + f", {to}, {path}, 16 callers"
        bare = ("bare",) if to == "plain" and not tcp else ()
        med = self.rounds(("nginx", *bare, "ours"), to=to, path=path,
                          count=count, callers=16, tcp=tcp)
        n, o = med["nginx"], med["ours"]
        for side in bare:
            self.b.row(f"libcurl + libmicrohttpd alone, {way}: CPU",
                       med[side]["cpu_us"], "us/req", n["cpu_us"], "nginx")
        self.b.row(f"proxy, {way}: CPU", o["cpu_us"], "us/req", n["cpu_us"],
                   "nginx", "<= 1.6x", o["cpu_us"] <= 1.6 * n["cpu_us"])
        for side in bare:
            self.b.row(f"proxy, {way}: CPU", o["cpu_us"], "us/req",
                       med[side]["cpu_us"], "libcurl + libmicrohttpd alone")
        self.b.row(f"proxy, {way}: rate", o["rps"], "req/s", n["rps"], "nginx")
        self.b.row(f"proxy, {way}: p50", o["p50_us"], "us", n["p50_us"],
                   "nginx")
        self.b.row(f"proxy, {way}: p99", o["p99_us"], "us", n["p99_us"],
                   "nginx")

    def single(self, to, path, count):
        med = self.rounds(("direct", "nginx", "bare", "ours"), to=to,
                          path=path, count=count, callers=1)
        adds = {w: med[w]["p50_us"] - med["direct"]["p50_us"]
                for w in ("nginx", "bare", "ours")}
        self.b.row(f"libcurl + libmicrohttpd alone add to p50, {path}, one "
                   "caller", adds["bare"], "us", adds["nginx"], "nginx")
        self.b.row(f"proxy adds to p50, {to}, {path}, one caller",
                   adds["ours"], "us", adds["nginx"], "nginx", "<= 60 us",
                   adds["ours"] <= 60)
        self.b.row(f"proxy adds to p50, {to}, {path}, one caller",
                   adds["ours"], "us", adds["bare"],
                   "libcurl + libmicrohttpd alone")

    def intercepted(self, path, count, callers, anew=False):
        got = {True: [], False: []}
        for ends_here in got:  # caches, the certificate
            self.by_forward_proxy(ends_here, path, callers, callers, anew)
        for _ in range(self.b.rounds):
            for ends_here, runs in got.items():
                runs.append(self.by_forward_proxy(ends_here, path, count,
                                                  callers, anew))
        ours, base = median(got[True]), median(got[False])
        way = (f"intercepted, {path}, {callers} "
               + ("caller" if callers == 1 else "callers")
               + (", anew" if anew else ""))
        for key, name, unit in (("cpu_us", "CPU", "us/req"),
                                ("rps", "rate", "req/s"),
                                ("p50_us", "p50", "us"),
                                ("p99_us", "p99", "us")):
            self.b.row(f"{way}: {name}", ours[key], unit, base[key],
                       "tunnelled")

    def rows(self, only=None):
        self.start()
        few, many = (int(n * self.b.scale) for n in (2000, 10000))
        if only != "tunnel":
            self.reverse(few, many)
        for path in ("1k", "64k"):
            self.intercepted(path, few, 1)
        self.intercepted("1k", many // 2, 16)
        self.intercepted("1k", few // 4, 1, anew=True)
        self.intercepted("1k", few // 4, 16, anew=True)

    def reverse(self, few, many):
        for to in ("plain", "tls"):
            self.loaded(to, "1k", many, False)
            self.loaded(to, "64k", many // 4, False)
        self.loaded("plain", "1k", many, True)
        self.single("plain", "1k", few)
        self.single("plain", "64k", few)
        med = self.rounds(("nginx", "ours"), to="events", path="", count=25,
                          callers=1, tool="events")
        for key, name in (("first_us", "asked to first event, p50"),
                          ("p50_us", "event under way, p50"),
                          ("p99_us", "event under way, p99")):
            self.b.row(f"proxy, {name}", med["ours"][key], "us",
                       med["nginx"][key], "nginx")
        med = self.rounds(("relay", "nginx", "ours"), to="plain", path="big",
                          count=3, callers=1)
        rate = {w: med[w]["mb_s"] for w in med}
        self.b.row("proxy, one stream, filtered", rate["ours"], "MB/s",
                   rate["relay"], "raw relay", ">= 0.5x",
                   rate["ours"] >= 0.5 * rate["relay"])
        self.b.row("proxy, one stream, filtered", rate["ours"], "MB/s",
                   rate["nginx"], "nginx")
