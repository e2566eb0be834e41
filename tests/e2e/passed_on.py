#!/usr/bin/python3
"""passed_on.py - a socket passed on by a task's process is not believed.

    passed_on.py TASK_SOCKET [--reuse]  outside, in the operator's session
    passed_on.py --inside TASK_SOCKET PATH    inside a task

A process of a task connects, is answered, hands the open connection and the
token to a process outside, and dies. The outside then asks by that connection,
with --reuse from a process that was given the dead one's pid (needs a PID
namespace of our own, where the next pid can be chosen).
"""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time


def ask(sock, token, path):
    sock.sendall((f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
                  f"Authorization: Bearer {token}\r\n\r\n").encode())
    data = b""
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        if not part:
            return data
        data += part
    return data


def inside(task_sock, path):
    token = os.environ["AUTH_GUARD_TOKEN"]
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(task_sock)
    answer = ask(sock, token, "/v1/tokens/self")
    if b" 200 " not in answer.split(b"\r\n")[0]:
        sys.exit("inside: not answered: %r" % answer[:300])
    out = socket.socket(socket.AF_UNIX)
    out.connect(path)
    socket.send_fds(out, [token.encode()], [sock.fileno()])
    out.recv(1)


def outside(task_sock, reuse):
    path = os.path.join(tempfile.mkdtemp(), "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    listener.settimeout(60)
    me = os.path.realpath(__file__)
    task = subprocess.Popen(
        ["auth-guard", "run", "--no-isolate", "--grant", "web/key:read", "--", "sh", "-c",
         f"/usr/bin/python3 {me} --inside {task_sock} {path}; sleep 60"])
    conn, _ = listener.accept()
    peer = struct.unpack("3i", conn.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    token, fds, _, _ = socket.recv_fds(conn, 4096, 1)
    conn.sendall(b"x")
    conn.close()
    end = time.monotonic() + 30
    while os.path.exists(f"/proc/{peer}") and time.monotonic() < end:
        time.sleep(0.02)
    if os.path.exists(f"/proc/{peer}"):
        sys.exit("the connector lives on")
    if reuse:
        head = ask_as(peer, fds[0], token.decode())
    else:
        head = ask_by(fds[0], token.decode())
    task.kill()
    task.wait()
    if " 200 " in head:
        sys.exit("a socket passed on was believed: " + head)
    print("a socket passed on by a dead process"
          + (", asked from a process with its pid: " if reuse else ": ")
          + (head or "closed"))


def ask_by(fd, token):
    sock = socket.socket(fileno=fd)
    sock.settimeout(30)
    try:
        answer = ask(sock, token, "/v1/secrets/web%2Fkey/value")
    except OSError as why:
        return f"closed ({why})"
    return answer.split(b"\r\n")[0].decode(errors="replace")


def ask_as(pid, fd, token):
    """Forks until a child has the wanted pid; that one asks."""
    for _ in range(200):
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as f:
            f.write(str(pid - 1))
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            if os.getpid() == pid:
                os.write(into, ask_by(fd, token).encode() or b"closed")
            os._exit(0)
        os.close(into)
        os.waitpid(child, 0)
        if child == pid:
            return os.read(out, 4096).decode()
        os.close(out)
    sys.exit(f"pid {pid} could not be had again")


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        inside(sys.argv[2], sys.argv[3])
    else:
        outside(sys.argv[1], "--reuse" in sys.argv)
