#!/usr/bin/env python3
"""Many tasks at once, each a process of its own that starts a task, reads its
minted secret and logs in with it; then all wait for a file and end together.
minting_tasks.py SOCKETS NAME COUNT DIR: in DIR, in.N is who N was to the
database, err.N what went wrong; DIR/go ends them."""
import http.client
import json
import os
import socket
import subprocess
import sys
import time


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=90)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(90)
        self.sock.connect(self.path)


def ask(path, method, url, body=None, token=None):
    c = Unix(path)
    head = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        head["Authorization"] = "Bearer " + token
    c.request(method, url, json.dumps(body) if body is not None else None, head)
    answer = c.getresponse()
    text = answer.read().decode()
    c.close()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {url}: {answer.status} {text}")
    return json.loads(text)


def inside(sockets, name, token, path):
    """What runs in the task: a child of who started it."""
    url = "/v1/secrets/" + name.replace("/", "%2F") + "/value"
    value = ask(f"{sockets}/task.sock", "GET", url, token=token)["value"]
    login = json.loads(value)
    who = subprocess.run(
        ["psql", "-XAtq", "-h", login["host"], "-p", str(login["port"]), "-d", login["dbname"],
         "-U", login["username"], "-c", "SELECT session_user"],
        env={"PATH": os.environ["PATH"], "PGPASSWORD": login["password"]},
        capture_output=True, text=True, check=False)
    if who.returncode != 0:
        raise RuntimeError(who.stderr.replace(login["password"], "…"))
    with open(path, "w", encoding="ascii") as out:
        out.write(who.stdout)


def tried(path, what, *args):
    """The exit code of a process that does it."""
    try:
        what(*args)
        return 0
    except Exception as e:  # pylint: disable=broad-except
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"{type(e).__name__}: {e}\n")
        return 1


def task(sockets, name, number, place):
    started = ask(f"{sockets}/admin.sock", "POST", "/v1/tasks", {
        "name": f"many-{number}", "grants": [{"secret": name, "verb": "read"}], "ttl_s": 900})
    life = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    life.connect(f"{sockets}/fd.sock")
    life.send(json.dumps({"op": "life", "ticket": started["life"]}).encode())
    life.recv(65536)
    child = os.fork()
    if child == 0:
        os._exit(tried(f"{place}/err.{number}", inside, sockets, name, started["token"],
                       f"{place}/in.{number}"))
    os.waitpid(child, 0)
    life.settimeout(0.1)
    while not os.path.exists(f"{place}/go"):
        try:
            if not life.recv(65536):
                return  # the broker is gone
        except socket.timeout:
            pass
    life.close()


def main():
    sockets, name, count, place = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    for number in range(count):
        if os.fork() == 0:
            os._exit(tried(f"{place}/err.{number}", task, sockets, name, number, place))
        time.sleep(0.005)
    for _ in range(count):
        os.wait()


main()
