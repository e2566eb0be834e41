#!/usr/bin/python3
"""passed_on.py - a socket passed on by a task's process is not believed.

    passed_on.py TASK_SOCKET            outside, in the operator's session
    passed_on.py --inside TASK_SOCKET PATH    inside a task

A process of a task connects, is answered, hands the open connection and the
token to a process outside, and dies. The outside then asks by that connection.
"""
import os
import socket
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


def outside(task_sock):
    path = os.path.join(tempfile.mkdtemp(), "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    listener.settimeout(15)
    me = os.path.realpath(__file__)
    task = subprocess.Popen(
        ["auth-guard", "run", "--grant", "web/key:read", "--", "sh", "-c",
         f"/usr/bin/python3 {me} --inside {task_sock} {path}; sleep 3"])
    conn, _ = listener.accept()
    token, fds, _, _ = socket.recv_fds(conn, 4096, 1)
    conn.sendall(b"x")
    conn.close()
    time.sleep(0.7)  # the connector is dead now
    sock = socket.socket(fileno=fds[0])
    sock.settimeout(5)
    try:
        answer = ask(sock, token.decode(), "/v1/secrets/web%2Fkey/value")
    except OSError as why:
        answer = f"closed ({why})".encode()
    head = answer.split(b"\r\n")[0].decode(errors="replace")
    task.kill()
    task.wait()
    if " 200 " in head:
        sys.exit("a socket passed on was believed: " + head)
    print("a socket passed on by a dead process: " + (head or "closed"))


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        inside(sys.argv[2], sys.argv[3])
    else:
        outside(sys.argv[1])
