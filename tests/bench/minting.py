"""minting.py - credentials made for one task each: leases per second, with the
start and the end of their tasks, beside the same statements or requests without
auth-guard.
"""
import glob
import http.client
import http.server
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

COUNT = 400
CALLERS = 8
CACHED_COUNT = 4000
GONE_S = 60


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=90)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def ask(connection, method, url, body=None, token=None):
    head = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        head["Authorization"] = "Bearer " + token
    connection.request(method, url,
                       json.dumps(body) if body is not None else None, head)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 300:
        raise SystemExit(f"bench: {method} {url}: {answer.status} {text}")
    return json.loads(text) if text else {}


def in_child(call):
    pid = os.fork()
    if pid == 0:
        try:
            call()
            os._exit(0)
        except BaseException as e:  # pylint: disable=broad-except
            os.write(2, f"bench: {e}\n".encode())
            os._exit(1)
    return pid


def wait_for(pids):
    for pid in pids:
        if os.waitpid(pid, 0)[1] != 0:
            raise SystemExit("bench: a caller failed")


def read(sockets, token, times):
    """What runs in the task: a child of who started it."""
    c = Unix(sockets + "/task.sock")
    for _ in range(times):
        ask(c, "GET", "/v1/secrets/bench%2Fminted/value", token=token)
    c.close()


def one_task(sockets, times):
    c = Unix(sockets + "/admin.sock")
    started = ask(c, "POST", "/v1/tasks", {
        "name": "bench", "ttl_s": 600,
        "grants": [{"secret": "bench/minted", "verb": "read"}]})
    c.close()
    life = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    life.connect(sockets + "/fd.sock")
    life.send(json.dumps({"op": "life", "ticket": started["life"]}).encode())
    life.recv(65536)
    wait_for([in_child(lambda: read(sockets, started["token"], times))])
    life.close()


def by_tasks(bench, count):
    """Leases per second: made, read once, revoked, all gone at the provider."""
    each = count // CALLERS

    def caller():
        for _ in range(each):  # a process has one task
            wait_for([in_child(lambda: one_task(bench.sock, 1))])

    began = time.monotonic()
    wait_for([in_child(caller) for _ in range(CALLERS)])
    while bench.json("auth-guard", "mint", "list")["minted"]:
        if time.monotonic() - began > GONE_S:
            raise SystemExit("bench: minted credentials are left")
    return each * CALLERS / (time.monotonic() - began)


# ---- PostgreSQL ----

RAW_SQL = """\\set n :n + 1
\\set id :client_id * 1000000 + :n
CREATE ROLE raw:id LOGIN PASSWORD '{verifier}' VALID UNTIL '2099-01-01' IN ROLE reader ROLE CURRENT_USER;
ALTER ROLE raw:id NOLOGIN PASSWORD NULL;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'none';
REASSIGN OWNED BY raw:id TO reader;
DROP OWNED BY raw:id;
DROP ROLE raw:id;
"""


class Postgres:
    """A server of our own, as an ordinary user: it refuses to be root's."""

    def __init__(self, bench):
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.dir = tempfile.mkdtemp(prefix="agpg.", dir="/tmp")
        self.words = {name: secrets.token_hex(16) for name in ("root", "boss")}
        self.env = {"PATH": self.bin + ":/usr/bin:/bin", "LANG": "C.UTF-8"}
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = str(s.getsockname()[1])
        self.who = []
        word = self.dir + "/word"
        with open(word, "w", encoding="ascii") as f:
            f.write(self.words["root"])
        if os.geteuid() == 0:
            self.who = ["setpriv", "--reuid=postgres", "--regid=postgres",
                        "--init-groups", "--"]
            for path in (self.dir, word):
                shutil.chown(path, "postgres", "postgres")
        bench.closers.append(self.stop)
        self.server("initdb", "-D", self.dir + "/db", "-U", "root", "--no-sync",
                    "--auth=scram-sha-256", "--pwfile=" + word, "--locale=C")
        self.server("pg_ctl", "-s", "-w", "-D", self.dir + "/db", "-l",
                    self.dir + "/log", "-o", f"-p {self.port} -h 127.0.0.1 "
                    "-k '' -c fsync=off -c synchronous_commit=off", "start")
        self.sql(f"CREATE ROLE boss LOGIN CREATEROLE PASSWORD '{self.words['boss']}'")
        self.sql("CREATE ROLE reader NOLOGIN; GRANT reader TO boss")

    def server(self, *words):
        subprocess.run([*self.who, *words], env=self.env, cwd=self.dir,
                       check=True, stdout=subprocess.DEVNULL)

    def client(self, user, *words):
        done = subprocess.run(
            [*words[:1], "-h", "127.0.0.1", "-p", self.port, "-U", user,
             *words[1:]], text=True, check=False, capture_output=True,
            env={**self.env, "PGPASSWORD": self.words[user]})
        if done.returncode != 0:
            raise SystemExit(f"bench: {words[0]}: {done.stderr[-500:]}")
        return done.stdout

    def sql(self, text):
        return self.client("root", "psql", "-XAtq", "-d", "postgres", "-c", text)

    def raw(self, count):
        """Leases per second by SQL alone, in sessions that stay open."""
        script = self.dir + "/raw.sql"
        verifier = self.sql("SELECT rolpassword FROM pg_authid "
                            "WHERE rolname = 'boss'").strip()
        with open(script, "w", encoding="ascii") as f:
            f.write(RAW_SQL.format(verifier=verifier))
        out = self.client("boss", "pgbench", "-n", "-c", str(CALLERS), "-j",
                          "2", "-t", str(count // CALLERS), "-D", "n=0", "-f",
                          script, "postgres")
        return float(out.split("tps = ")[1].split()[0])

    def stop(self):
        if os.path.exists(self.dir + "/db/postmaster.pid"):
            self.server("pg_ctl", "-s", "-m", "immediate", "-D",
                        self.dir + "/db", "stop")
        shutil.rmtree(self.dir, ignore_errors=True)


# ---- GitHub ----

class Github(http.server.BaseHTTPRequestHandler):
    """Says what GitHub says to who asks for a token or revokes one. Who asks is
    not looked at: e2e 50_p9_minted does."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def say(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        self.say(201, json.dumps({"token": "ghs_" + secrets.token_hex(18),
                                  "expires_at": at}).encode())

    def do_DELETE(self):
        self.say(204, b"")

    def log_message(self, *_):
        pass


def serve_github(bench):
    """A process of its own, so that it has a processor to itself."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Github)
    pid = in_child(server.serve_forever)
    server.server_close()

    def stop():
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)

    bench.closers.append(stop)
    return server.server_address[1]


def raw_github(port, count):
    """Tokens per second, made and revoked, by the requests alone."""
    def caller():
        c = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(count // CALLERS):
            ask(c, "POST", "/app/installations/7/access_tokens", {})
            ask(c, "DELETE", "/installation/token")

    began = time.monotonic()
    threads = [threading.Thread(target=caller) for _ in range(CALLERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return count // CALLERS * CALLERS / (time.monotonic() - began)


# ---- rows ----

def rows(bench):
    count = max(CALLERS, int(COUNT * bench.scale))
    pg = Postgres(bench)
    bench.run("auth-guard", "put", "bench/boss", text=pg.words["boss"])
    bench.run("auth-guard", "mint", "set", "--minter", "postgres", "--from",
              "bench/boss", "bench/minted", "host=127.0.0.1",
              "port=" + pg.port, "dbname=postgres", "user=boss", "roles=reader")
    bench.row("roles of PostgreSQL for tasks, made and dropped",
              by_tasks(bench, count), "/s", pg.raw(count * 4), "raw SQL",
              inverse=True)
    bench.run("auth-guard", "rm", "--yes", "bench/minted")

    port = serve_github(bench)
    key = bench.run("openssl", "genrsa", "-traditional", "2048")
    bench.run("auth-guard", "put", "bench/app", text=key)
    bench.run("auth-guard", "mint", "set", "--minter", "github-app", "--from",
              "bench/app", "bench/minted", "app=1", "installation=7",
              f"endpoint=http://127.0.0.1:{port}")
    bench.row("tokens of GitHub for tasks, made and revoked",
              by_tasks(bench, count), "/s", raw_github(port, count),
              "the requests", inverse=True)
    times = max(CALLERS, int(CACHED_COUNT * bench.scale))
    began = time.monotonic()
    one_task(bench.sock, times)
    bench.row("a task's token of GitHub, again, one caller",
              times / (time.monotonic() - began), "/s")
