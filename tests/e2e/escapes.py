#!/usr/bin/env python3
"""escapes.py - tries to get out of an isolated task, one way after the other.

    escapes.py CONFIG [--outside]    CONFIG: JSON with what is outside

One line each: `refused NAME: how`, `ESCAPED NAME`, `broken NAME: why` when the
try itself went wrong. The same program outside of every task shows that a try
is one: there most of them get through.
"""
import ctypes
import errno
import fcntl
import glob
import json
import os
import signal
import socket
import struct
import subprocess
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    C = json.load(file)
HOME, TREE, MARK = C["home"], C["tree"], C["mark"]
libc = ctypes.CDLL(None, use_errno=True)
TRIES = []
# Before anything is opened here; 3 was the listing itself.
LEFT_OPEN = [n for n in os.listdir("/proc/self/fd") if int(n) > 2 and os.path.exists("/proc/self/fd/" + n)]


OUTSIDE = "--outside" in sys.argv  # not those that change or stop something


def way(name, when=True, harmless=True):
    def add(function):
        if when and (harmless or not OUTSIDE):
            TRIES.append((name, function))
        return function
    return add


def call(number, *args):
    """A system call by its number; OSError as Python has it."""
    got = libc.syscall(number, *args)
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got


def has_mark(path):
    with open(path, "rb") as f:
        return MARK.encode() in f.read()


def tool(*words, **more):
    """A program's exit; whatever it says is in the error."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=20, check=False, **more)
    if done.returncode in (126, 127) and b"not found" in done.stdout:
        raise RuntimeError(done.stdout)
    return done.returncode == 0, done.stdout


def nested(script):
    """In namespaces of its own, as root there: is the mark found?"""
    _, out = tool("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork",
                  "--propagation", "unchanged", "sh", "-c", "echo inside; " + script)
    if b"inside" not in out:
        raise RuntimeError("no namespaces: %r" % out)
    return MARK.encode() in out


def dial(family, kind, address):
    with socket.socket(family, kind) as s:
        s.settimeout(3)
        s.connect(address)
        if kind == socket.SOCK_DGRAM:
            s.send(b"x")
        return True


# ---- files ----
for label, where in C["hidden"].items():
    way("read " + label)(lambda where=where: has_mark(where))
    way("list the folder of " + label)(
        lambda where=where: os.path.basename(where) in os.listdir(os.path.dirname(where)))
for label, where in C["outside"].items():
    way("read " + label)(lambda where=where: has_mark(where))


@way("a credential that appears later")
def later():
    with open(TREE + "/now", "w", encoding="utf-8"):
        pass
    for _ in range(1000):
        if os.path.exists(TREE + "/later-is-there"):
            break
        signal.sigtimedwait([], 0.02)
    else:
        raise RuntimeError("nobody made it")
    return has_mark(C["later"])


way("link prepared in the tree, to a file")(lambda: has_mark(TREE + "/link-file"))
way("link prepared in the tree, to the home")(lambda: has_mark(TREE + "/link-home/.ssh/id_rsa"))
way("link prepared in the tree, to /proc/1/root")(
    lambda: has_mark(TREE + "/link-proc" + HOME + "/.ssh/id_rsa"))


@way("a hard link to a hidden file")
def hard_link():
    os.link(HOME + "/.ssh/id_rsa", TREE + "/stolen")
    return has_mark(TREE + "/stolen")


@way("rename of the hidden folder's parent", harmless=False)
def renamed():
    os.rename(HOME + "/.ssh", HOME + "/.ssh-moved")
    try:
        return has_mark(HOME + "/.ssh-moved/id_rsa")
    finally:
        os.rename(HOME + "/.ssh-moved", HOME + "/.ssh")


@way("hidden folder made anew shows the old one")
def anew():
    os.makedirs(HOME + "/.ssh", exist_ok=True)
    return has_mark(HOME + "/.ssh/id_rsa")


@way("watch a hidden folder")
def watch():
    fd = libc.inotify_init1(0)
    if libc.inotify_add_watch(fd, (HOME + "/.gnupg").encode(), 0xFFF) < 0:
        raise OSError(ctypes.get_errno(), "inotify_add_watch")
    return True


way("fanotify")(lambda: call(300, 0, 0) >= 0 and os.geteuid() == 0)


@way("open by handle")
def by_handle():
    handle = ctypes.create_string_buffer(struct.pack("IiII", 8, 1, 2, 0), 64)
    fd = os.open("/usr", os.O_RDONLY)
    call(304, fd, handle, os.O_RDONLY)
    return True


@way("a descriptor that was left open")
def left_open():
    return bool(LEFT_OPEN)


@way("descriptors 0 to 2 lead to a folder")
def folders():
    return any(os.path.isdir("/proc/self/fd/%d/.." % n) for n in range(3))


# ---- writing what the person runs ----
for label, where in C["start_up"].items():
    def write(where=where):
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with open(where, "a", encoding="utf-8") as f:
            f.write("\n" + MARK + "-written\n")
        return False  # the scenario looks at the real one
    way("write " + label, harmless=False)(write)


@way("crontab", harmless=False)
def crontab():
    done, out = tool("sh", "-c", "command -v crontab >/dev/null || exit 9; "
                     "echo '* * * * * touch /tmp/%s' | crontab -" % MARK)
    return done


@way("hook of the repository", harmless=False)
def hook():
    with open(TREE + "/.git/hooks/pre-commit", "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n")
    return True


@way("configuration of the repository", harmless=False)
def config():
    with open(TREE + "/.git/config", "a", encoding="utf-8") as f:
        f.write("[core]\nhooksPath = /tmp\n")
    return True


def moved_away(name):
    os.rename(TREE + name, TREE + name + ".old")
    os.rename(TREE + name + ".old", TREE + name)
    return True


way("repository renamed away", harmless=False)(lambda: moved_away("/.git"))
way("hooks renamed away", harmless=False)(lambda: moved_away("/.git/hooks"))
way("configuration replaced", harmless=False)(lambda: tool("git", "-C", TREE, "config", "core.fsmonitor", "x")[0])


def writable(path):
    with open(path, "ab"):
        return True


way("write to /usr")(lambda: writable(C["usr_file"]) and os.geteuid() == 0)
way("write to /etc", harmless=False)(lambda: writable("/etc/" + MARK))
way("write to the running program")(lambda: writable(os.path.realpath("/proc/self/exe")))

# ---- mounts ----
ID = HOME + "/.ssh/id_rsa"
LOOK = "cat %s %s/../.ssh/id_rsa /tmp/m/.ssh/id_rsa /tmp/m%s 2>&1" % (ID, TREE, ID)
way("unmount everything")(lambda: nested(
    "sort -r -k5 /proc/self/mountinfo | cut -d' ' -f5 | xargs -n 1 umount -l 2>/dev/null; " + LOOK))
way("unmount the home")(lambda: nested("umount %s; umount -l %s; %s" % (HOME, HOME, LOOK)))
way("bind of the home without what is on it")(
    lambda: nested("mkdir -p /tmp/m; mount --bind %s /tmp/m; %s" % (HOME, LOOK)))
way("bind of the root without what is on it")(
    lambda: nested("mkdir -p /tmp/m; mount --bind / /tmp/m; %s" % LOOK))
way("overlay over the home")(lambda: nested(
    "mkdir -p /tmp/m /tmp/u /tmp/w; mount -t overlay o -o userxattr,lowerdir=%s,upperdir=/tmp/u,"
    "workdir=/tmp/w /tmp/m; %s" % (HOME, LOOK)))
way("the layer's own folders")(lambda: nested(
    "for d in $(grep -o 'dir=[^, ]*' /proc/self/mountinfo | cut -d= -f2); do cat $d/.ssh/id_rsa; done 2>&1"))
way("a block device mounted")(lambda: nested(
    "mkdir -p /tmp/m; mount $(grep -m1 -o '/dev/[a-z0-9]*' /proc/self/mountinfo || echo /dev/vda) /tmp/m; " + LOOK))
way("writable again")(lambda: nested(
    "mount -o remount,rw,bind %s/.git/hooks && echo %s; mount -o remount,rw,bind /usr && echo %s"
    % (TREE, MARK, MARK)) and "nested" in C)
way("chroot and back")(lambda: nested(
    "mkdir -p /tmp/c; python3 -c 'import os; d=os.open(\"/\",0); os.chroot(\"/tmp/c\"); os.fchdir(d);"
    " [os.chdir(\"..\") for _ in range(50)]; os.chroot(\".\")'; " + LOOK))
way("/proc/1/root")(lambda: has_mark("/proc/1/root" + ID))
way("/proc/1/cwd")(lambda: os.stat("/proc/1/cwd/.").st_ino >= 0)
way("/proc/1/fd")(lambda: bool([os.stat("/proc/1/fd/" + n) for n in os.listdir("/proc/1/fd")]))
way("/proc/1/environ")(lambda: bool(open("/proc/1/environ", "rb").read()))
way("/proc/1/mem")(lambda: os.open("/proc/1/mem", os.O_RDONLY) >= 0)
way("into the namespace of process 1")(lambda: call(308, os.open("/proc/1/ns/mnt", os.O_RDONLY), 0) == 0)

# ---- processes ----
VICTIM = C["victim"]


@way("environ of others")
def environs():
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as f:
                if (MARK + "-environ").encode() in f.read():
                    return True
        except OSError:
            pass
    return False


@way("processes of others listed")
def listed():
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as f:
                if C["victim_word"].encode() in f.read():
                    return True
        except OSError:
            pass
    return False


def is_victim():
    with open("/proc/%d/cmdline" % VICTIM, "rb") as f:
        return C["victim_word"].encode() in f.read()


def read_memory(pid):
    """process_vm_readv() of the first page that the listing names."""
    with open("/proc/%d/maps" % pid, encoding="utf-8") as f:
        start = int(f.read().split("-")[0], 16)
    page = ctypes.create_string_buffer(64)
    ours = struct.pack("QQ", ctypes.addressof(page), 64)
    theirs = struct.pack("QQ", start, 64)
    return call(310, pid, ours, ctypes.c_ulong(1), theirs, ctypes.c_ulong(1), ctypes.c_ulong(0))


way("signal to another's process")(lambda: is_victim() and os.kill(VICTIM, 0) is None)
way("trace of another's process")(lambda: is_victim() and call(101, 0x4206, VICTIM, 0, 0) == 0)
way("pidfd of another's process")(lambda: is_victim() and os.pidfd_open(VICTIM) >= 0)
way("memory of another's process")(lambda: is_victim() and read_memory(VICTIM) >= 0)
way("memory of the kernel")(lambda: bool(open("/proc/kcore", "rb").read(64)))
way("limits of another's process")(lambda: is_victim() and bool(__import__("resource").prlimit(VICTIM, 7)))
way("trace of process 1")(lambda: call(101, 0x4206, 1, 0, 0) == 0)
way("a descriptor of process 1")(lambda: call(438, os.pidfd_open(1), 0, 0) >= 0)


@way("signal to all", harmless=False)
def kill_all():
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    os.kill(-1, signal.SIGUSR2)
    return False  # the victim tells


@way("shared memory of System V")
def shm():
    return libc.shmget(C["shm_key"], 1, 0) >= 0


# ---- sockets ----
for label, where in C["sockets"].items():
    way("connect to " + label)(lambda where=where: dial(socket.AF_UNIX, socket.SOCK_STREAM, where))
way("abstract socket")(lambda: dial(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + C["abstract"]))
way("abstract socket, datagram")(lambda: dial(socket.AF_UNIX, socket.SOCK_DGRAM, "\0" + C["abstract"] + "-d"))
way("raw socket")(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) and os.geteuid() == 0)
way("packet socket")(lambda: bool(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)))
way("socket to the hypervisor")(lambda: bool(socket.socket(40, socket.SOCK_STREAM)))
way("socket to the kernel's ciphers")(lambda: bool(socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)))
way("127.0.0.1 of the host")(lambda: dial(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", C["port"])))
way("::1 of the host")(lambda: dial(socket.AF_INET6, socket.SOCK_STREAM, ("::1", C["port"])))
way("an address of the host's")(lambda: dial(socket.AF_INET, socket.SOCK_STREAM, (C["address"], C["port"])))
way("an address on the net")(lambda: dial(socket.AF_INET, socket.SOCK_STREAM, ("192.0.2.1", 443)))
way("the metadata address")(lambda: dial(socket.AF_INET, socket.SOCK_STREAM, ("169.254.169.254", 80)))
way("a name server")(lambda: dial(socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.53", 53)))
way("a name asked for")(lambda: bool(socket.getaddrinfo("example.org", 443)))

# ---- terminal, kernel, privileges ----


@way("typing into the terminal", harmless=False)
def typing():
    fd = os.open("/dev/tty", os.O_RDWR)
    fcntl.ioctl(fd, 0x5412, b"x")
    return True


@way("TIOCLINUX", harmless=False)
def tioclinux():
    fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), 0x541C, b"\x03")
    return True


way("terminals of others")(lambda: len(glob.glob("/dev/pts/[0-9]*")) > 1)
way("become root", harmless=False)(lambda: os.setresuid(0, 0, 0) is None and os.geteuid() == 0 and not C["root"])
way("another group")(lambda: os.setgroups([0]) is None)
way("a set-uid program")(lambda: tool("su", "-c", "true")[0])
way("new privileges")(lambda: libc.prctl(39, 0, 0, 0, 0) != 1)
way("capabilities")(lambda: any(
    line.startswith(("CapEff", "CapPrm")) and int(line.split()[1], 16) & ~(1 << 31)
    for line in open("/proc/self/status", encoding="utf-8")))
way("a device node", harmless=False)(lambda: os.mknod("/tmp/node", 0o060600, os.makedev(8, 0)) is None)
for device in ("/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/fuse", "/dev/kvm"):
    way("open " + device)(lambda device=device: os.open(device, os.O_RDWR) >= 0)
way("core_pattern")(lambda: writable("/proc/sys/kernel/core_pattern"))
way("sysrq")(lambda: writable("/proc/sysrq-trigger"))
way("core_pattern by a /proc of its own")(lambda: nested(
    "mkdir -p /tmp/p; mount -t proc p /tmp/p && : >>/tmp/p/sys/kernel/core_pattern && echo " + MARK))


@way("control groups")
def cgroups():
    for where, _, names in os.walk("/sys/fs/cgroup"):
        for name in names:
            if name in ("cgroup.procs", "tasks", "release_agent") and os.access(where + "/" + name, os.W_OK):
                return writable(where + "/" + name)
    raise PermissionError(errno.EACCES, "none is writable")


way("release_agent by a mount of its own")(lambda: nested(
    "mkdir -p /tmp/g; unshare -C sh -c 'mount -t cgroup -o cpu g /tmp/g || mount -t cgroup -o none,name=x g /tmp/g'"
    " && echo /tmp/x >/tmp/g/release_agent && echo " + MARK))
way("sysfs by a mount of its own")(lambda: nested(
    "mkdir -p /tmp/s; unshare -n sh -c 'mount -t sysfs s /tmp/s && : >>/tmp/s/power/state && echo %s'" % MARK))
for label, number, args in (("keyctl", 250, (0, -5)), ("add_key", 248, (b"user", b"ag", b"x", 1, -5)),
                            ("request_key", 249, (b"user", b"ag", 0, 0)), ("bpf", 321, (0, 0, 0)),
                            ("perf_event_open", 298, (0, 0, -1, -1, 0)), ("userfaultfd", 323, (1,)),
                            ("io_uring", 425, (1, 0)), ("kexec", 246, (0, 0, 0, 0)),
                            ("init_module", 175, (0, 0, 0)), ("iopl", 172, (3,)),
                            ("syslog", 103, (3, ctypes.create_string_buffer(64), 64)),
                            ("a call by x32 numbers", 0x40000000 + 39, ())):
    def refused_call(number=number, args=args):
        call(number, *args)
        return True
    way("call " + label)(refused_call)

# ---- auth-guard itself ----
way("auth-guard list", harmless=False)(lambda: C["secret"].encode() in tool(C["auth_guard"], "list")[1])
for words in (("get", C["secret"]), ("approve", "1"), ("lock",), ("task", "list"), ("audit", "tail"),
              ("run", "--", "true"), ("run", "--env", "X=" + C["secret"], "--", "true"), ("unlock",)):
    way("auth-guard " + " ".join(words), harmless=False)(lambda words=words: tool(C["auth_guard"], *words)[0])


def main():
    bad = 0
    for name, function in TRIES:
        try:
            if function():
                print("ESCAPED " + name)
                bad += 1
            else:
                print("refused %s: nothing came of it" % name)
        except (OSError, socket.error) as err:
            print("refused %s: %s" % (name, errno.errorcode.get(err.errno, err)))
        except Exception as err:  # the try itself is wrong: that is no refusal
            print("broken %s: %r" % (name, err))
            bad += 1
        sys.stdout.flush()
    print("%d ways tried" % len(TRIES))
    return 1 if bad else 0


sys.exit(main())
