#!/usr/bin/env python3
"""Between the broker and PostgreSQL: passes on, and does once what a file says.
pg_proxy.py PORT MODE_FILE LOG: prints its own port. The file holds "WORD FAULT":
at the first message of a client that has WORD in it, FAULT is
  cut_before   the connection ends, the server never heard it
  cut_after    the server did it, the answer is lost
  hang         the server did it, the answer never comes
  late         the connection ends, the server hears it when MODE_FILE.go is there
  kill_before PID, kill_after PID   the broker is killed instead
and the file is removed."""
import os
import signal
import socket
import sys
import threading

PORT, MODE, LOG = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def fault_for(data):
    try:
        with open(MODE, encoding="ascii") as f:
            word, fault, *rest = f.read().split()
    except (FileNotFoundError, ValueError):
        return None, None
    if word.encode() not in data:
        return None, None
    os.unlink(MODE)
    with open(LOG, "a", encoding="ascii") as f:
        f.write(f"{word} {fault}\n")
    return fault, rest[0] if rest else None


def back(server, client, state):
    while True:
        data = server.recv(65536)
        if state["cut"]:
            break
        if state["hang"]:
            continue
        if not data:
            break
        client.sendall(data)
    for s in (server, client):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(client):
    server = socket.create_connection(("127.0.0.1", PORT))
    state = {"cut": False, "hang": False}
    threading.Thread(target=back, args=(server, client, state), daemon=True).start()
    try:
        while True:
            data = client.recv(65536)
            if not data:
                break
            fault, pid = fault_for(data)
            if fault == "cut_before":
                break
            if fault == "kill_before":
                os.kill(int(pid), signal.SIGKILL)
                break
            if fault == "late":
                state["hang"] = True
                client.shutdown(socket.SHUT_RDWR)
                while not os.path.exists(MODE + ".go"):
                    threading.Event().wait(0.02)
                server.sendall(data)
                threading.Event().wait(1)
                break
            if fault == "cut_after":
                state["cut"] = True
            if fault == "hang":
                state["hang"] = True
            if fault == "kill_after":
                state["hang"] = True
                server.sendall(data)
                threading.Event().wait(0.5)
                os.kill(int(pid), signal.SIGKILL)
                break
            server.sendall(data)
    except OSError:
        pass
    if not state["cut"]:
        for s in (server, client):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


main()
