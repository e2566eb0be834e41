# P7 where the kernel allows no user namespaces: a task is kept apart by Landlock
# alone; what that lacks is told and on the record; a preset that wants all of it
# refuses. It does what it says: files, TCP, datagrams, other processes.
. "$SRC/tests/e2e/lib.sh"
level=$(/usr/bin/python3 -c 'import ctypes
print(ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1))')
if [ "$level" -lt 6 ] || ! unshare -U --map-current-user --keep-caps true 2>/dev/null; then
    say "not tried here: Landlock of level $level"
    exit 0
fi
python3 "$SRC/tests/e2e/proxy_service.py" "$C/one.log" "$C/one.port" >"$C/one.out" 2>&1 &
CLEANUP+=("kill $!")
within 10 test -s "$C/one.port" || fail "the service does not start"
PORT=$(cat "$C/one.port")
vault
VALUE=$(canary sk-fence-)
printf %s "$VALUE" | auth-guard put api/key >"$C/out" || fail put
mkdir -p "$HOME/.ssh" "$HOME/.config/tool" "$HOME/.config/gh"
echo secretkey >"$HOME/.ssh/id_rsa"
echo secretkey >"$HOME/.config/gh/hosts.yml"
echo plain >"$HOME/.config/tool/settings"
git init -q "$TREE"
MARK=mark-environ python3 -c 'import os, socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind("\0ag-fence-%d" % os.getppid()); s.listen()
time.sleep(300)' &
VICTIM=$!
CLEANUP+=("kill $VICTIM")
cat >"$S/bare.sh" <<'SH'
echo 0 >/proc/sys/user/max_user_namespaces || exit 77
exec setpriv --ambient-caps -all --inh-caps -all auth-guard run "$@"
SH
bare() { # WORDS of run
    run timeout 60 unshare -U --map-current-user --keep-caps sh "$S/bare.sh" "$@"
    [ $RC -ne 77 ] || { say "not tried here: no such limit"; exit 0; }
}

bare --name fenced -- sh -c 'cat ~/.config/tool/settings && echo x >made && git add made && mktemp >tmp && id -un'
[ $RC -eq 0 ] || fail "ordinary work: $RC $OUT $ERR"
has "$OUT" plain
has "$ERR" 'kept apart by Landlock alone, without a process namespace'
[ -e "$TREE/made" ] || fail "nothing was written to the tree"
[[ $(cat "$TREE/tmp") == /tmp/auth-guard-* ]] && [ ! -e "$(dirname "$(cat "$TREE/tmp")")" ] || fail "temporary files: $(cat "$TREE/tmp")"
audit_has fenced 'workspace: network broker' 'without a process namespace' 'without a writable home'
say "ordinary work gets done; what is lacking is told and on the record"

# Here the kernel gives them: a view that fails for want of descriptors is a
# failure, and no reason to do with less.
failed=0
for few in 12 14 16; do
    run prlimit --nofile=$few auth-guard run -- sh -c 'echo ran'
    [ $RC -eq 125 ] || continue
    hasnt "$OUT" ran "what was not started"
    hasnt "$ERR" Landlock "a run that failed"
    [[ $ERR == *"can't be made, nothing was started: "* ]] && failed=$((failed + 1))
done
[ "$failed" -gt 0 ] || fail "no view failed: $ERR"
say "a view that fails starts nothing"

bare --env X=web/none -- true
[ $RC -eq 125 ] || fail "a secret that is not there: $RC"
for preset in strict offline; do
    bare --isolate=$preset -- true
    [ $RC -eq 125 ] || fail "$preset was weaker: $RC"
    has "$ERR" "can't be had here"
    has "$ERR" --no-isolate
done
bare --no-isolate -- sh -c 'cat ~/.ssh/id_rsa'
[ "$OUT" = secretkey ] || fail "--no-isolate: $RC $ERR"
say "presets that want all of it refuse"

cat >"$TREE/tries.py" <<'PY'
import ctypes, errno, os, socket, sys
home, port, victim, abstract, sockets, outside = sys.argv[1:7]
libc = ctypes.CDLL(None, use_errno=True)
bad = 0
def call(number, *args):
    got = libc.syscall(number, *args)
    if got < 0:
        raise OSError(ctypes.get_errno(), "")
def dial(family, kind, where, proto=0):
    with socket.socket(family, kind, proto) as s:
        s.settimeout(3)
        s.connect(where)
def later():
    open("now", "w").close()
    while not os.path.exists("later"):
        os.sched_yield()
    open(home + "/.pypirc").read()
def fast():
    with socket.socket() as s:
        s.settimeout(3)
        s.sendto(b"GET / HTTP/1.0\r\n\r\n", 0x20000000, ("127.0.0.1", int(port)))
tries = [(n, lambda n=n: open(home + "/" + n).read()) for n in (".ssh/id_rsa", ".config/gh/hosts.yml")] + [
    ("list of .ssh", lambda: os.listdir(home + "/.ssh")), ("list of the home", lambda: os.listdir(home)),
    ("write to the home", lambda: open(home + "/new", "w")), ("write to .bashrc", lambda: open(home + "/.bashrc", "a")),
    ("a credential that comes later", later), ("the vault", lambda: os.listdir(home + "/.local/share/auth-guard")),
    ("a neighbour's file", lambda: open(outside).read()), ("the host's /tmp", lambda: os.listdir("/tmp")),
    ("a file in /tmp", lambda: open("/tmp/ag-fence-new", "w")), ("/dev/shm", lambda: open("/dev/shm/ag-fence", "w")),
    ("link to a hidden file", lambda: os.link(home + "/.ssh/id_rsa", "stolen")),
    ("environ of others", lambda: open("/proc/%s/environ" % victim, "rb").read(1)),
    ("root of others", lambda: os.listdir("/proc/%s/root/" % victim)),
    ("memory of others", lambda: open("/proc/%s/mem" % victim, "rb")),
    ("trace of others", lambda: call(101, 0x4206, int(victim), 0, 0)),
    ("signal to others", lambda: os.kill(int(victim), 0)),
    ("pidfd_getfd", lambda: call(438, os.pidfd_open(int(victim)), 0, 0)),
    ("abstract socket", lambda: dial(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + abstract)),
    ("another port", lambda: dial(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", int(port)))),
    ("another port by IPv6", lambda: dial(socket.AF_INET6, socket.SOCK_STREAM, ("::ffff:127.0.0.1", int(port)))),
    ("another port by fast open", fast),
    ("MPTCP", lambda: dial(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", int(port)), 262)),
    ("a datagram", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    ("a datagram by IPv6", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)),
    ("a raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
    ("the hypervisor", lambda: socket.socket(40, socket.SOCK_STREAM)),
    ("a name", lambda: socket.getaddrinfo("example.org", 443)),
    ("listening", lambda: socket.create_server(("127.0.0.1", 0))),
    ("keyctl", lambda: call(250, 0, -5)), ("io_uring", lambda: call(425, 1, 0)),
    ("a mount", lambda: call(165, b"x", b"/tmp", b"tmpfs", 0, 0)),
]
for name, function in tries:
    try:
        function()
        print("ESCAPED", name)
        bad = 1
    except OSError as err:
        print("refused", name, errno.errorcode.get(err.errno, err))
print(len(tries), "ways tried")
sys.exit(bad)
PY
echo outside >"$S/outside"
watch() {
    within 30 test -e "$TREE/now"
    echo secretkey >"$HOME/.pypirc"
    touch "$TREE/later"
}
tries=(python3 "$TREE/tries.py" "$HOME" "$PORT" "$VICTIM" "ag-fence-$$" "$SOCKETS" "$S/outside")
watch &
bare -- "${tries[@]}"
[ $RC -eq 0 ] || fail "tries: $RC $OUT $ERR"
say "$(tail -n 1 <<<"$OUT"), none got through"
rm -f "$TREE"/{now,later} "$HOME/.pypirc"
watch &
run auth-guard run --no-isolate -- "${tries[@]}"
got=$(grep -c ^ESCAPED <<<"$OUT")
[ "$got" -ge 14 ] || fail "only $got get through without: $OUT"
say "$got of them tried without get through"

P="secret=ag://api/key,upstream=http://127.0.0.1:$PORT,url-env=API_URL,key-env=API_KEY,inner"
bare --proxy "$P" -- sh -c 'curl -sS -f -m 20 -H "Authorization: Bearer $API_KEY" "$API_URL/fenced"'
[ $RC -eq 0 ] || fail "the broker's port: $RC $OUT $ERR"
grep -qF /fenced "$C/one.log" || fail "the service was not called"
rm -f "$HOME/.ssh/id_rsa" "$TREE"/tmp "$TREE"/tries.py
audit_verifies
no_leak
