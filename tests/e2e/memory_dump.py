"""What a task can read of the memory of its processes, written to files.

    memory_dump.py DIR

The leak search looks into DIR afterwards. Only writable memory, a bounded part
of each process.
"""
import os
import sys

MOST = 192 * 1024 * 1024
out = sys.argv[1]
os.makedirs(out, exist_ok=True)
seen = 0
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) == os.getpid():
        continue
    try:
        with open(f"/proc/{pid}/maps") as maps, \
                open(f"/proc/{pid}/mem", "rb", buffering=0) as mem, \
                open(f"{out}/{pid}", "wb") as copy:
            left = MOST
            for line in maps:
                where, rights = line.split()[:2]
                if rights[:2] != "rw" or "[v" in line:
                    continue
                start, end = (int(x, 16) for x in where.split("-"))
                size = min(end - start, left)
                try:
                    mem.seek(start)
                    copy.write(mem.read(size))
                    left -= size
                except OSError:
                    pass
            seen += 1
    except OSError:
        pass
print(f"memory of {seen} processes")
