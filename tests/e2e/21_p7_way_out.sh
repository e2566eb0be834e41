# P7: the one way out of an isolated task's network leads to the broker: what it
# was given reaches its service by the same address as outside; nothing else is
# reached, by no name and no number; the way can be cut, not widened.
. "$SRC/tests/e2e/lib.sh"
python3 "$SRC/tests/e2e/proxy_service.py" "$C/one.log" "$C/one.port" >"$C/one.out" 2>&1 &
CLEANUP+=("kill $!")
within 10 test -s "$C/one.port" || fail "the service does not start"
PORT=$(cat "$C/one.port")
vault
VALUE=$(canary sk-wayout-)
printf %s "$VALUE" | auth-guard put api/key --min-grade proxy >"$C/out" || fail put
P="secret=ag://api/key,upstream=http://127.0.0.1:$PORT,url-env=API_URL,key-env=API_KEY,inner"
out() { # PRESET SCRIPT
    run timeout 60 auth-guard run --isolate="$1" --proxy "$P" -- sh -c "$2"
}
saw() { grep -qF -- "$1" "$C/one.log" || fail "the service was not sent: $1"; }

for preset in workspace strict; do
    say "$preset: the address leads to the service, with the value"
    out $preset 'echo "$API_URL"; curl -sS -i -m 20 -H "Authorization: Bearer $API_KEY" "$API_URL/by/'$preset'"'
    [ $RC -eq 0 ] || fail "$RC $OUT $ERR"
    has "$OUT" 'HTTP/1.1 200'
    has "$OUT" "http://127.0.0.1:$(cat "$SOCKETS/port")/t/"
    hasnt "$OUT" "$VALUE" "the answer"
    saw "/by/$preset"
    saw "Bearer $VALUE"

    say "$preset: and nowhere else, though from outside there is somebody"
    curl -sS -f -m 5 -o "$C/out" "http://127.0.0.1:$PORT/outside" || fail "the service is not there"
    address=$(hostname -I | cut -d' ' -f1)
    # shellcheck disable=SC2016 # for the shell inside
    out $preset 'for url in "http://127.0.0.1:'"$PORT"'/" "http://localhost:'"$PORT"'/" "http://[::1]:'"$PORT"'/" \
        "http://'"${address:-127.0.0.2}:$PORT"'/" "http://[::1]:${API_URL#*127.0.0.1:}" http://169.254.169.254/ http://192.0.2.1/ \
        http://example.org/ "http://127.0.0.1:'"$PORT"'/" ; do
        curl -sS -m 5 --noproxy "*" -o /dev/null "$url" 2>/dev/null && echo "REACHED $url"
        curl -sS -m 5 -f -o /dev/null "$url" 2>/dev/null && echo "REACHED $url by the proxy"; done
        getent hosts example.org && echo REACHED a name
        cat /proc/net/dev | tail -n +3 | grep -v "^ *lo:"; ls /sys/class/net 2>/dev/null; echo end'
    [ "$OUT" = end ] || fail "$preset reached: $OUT"
done

say "a body in, a stream out, 64 at once, through the same way"
head -c 20971520 /dev/zero >"$HOME/work/blob"
out strict 'curl -sS -f -m 60 -T blob -H "X-N: 1" -H "Authorization: Bearer $API_KEY" "$API_URL/up"'
has "$OUT" '"bytes": 20971520'
rm "$HOME/work/blob"
out strict 'curl -sSN -m 20 -H "Authorization: Bearer $API_KEY" "$API_URL/events/5" |
    while read -r line; do [ -z "$line" ] || echo "$(date +%s%N) $line"; done'
[ "$(grep -c data: <<<"$OUT")" -eq 5 ] || fail "not five events: $OUT"
first=$(sed -n 1p <<<"$OUT") last=$(sed -n '$p' <<<"$OUT")
[ $((${last%% *} - ${first%% *})) -gt 500000000 ] || fail "all at once: $OUT"
out strict 'curl -sS -f -Z --parallel-max 64 -m 60 -o /dev/null -w "%{http_code}\n" \
    -H "Authorization: Bearer $API_KEY" "$API_URL/many/[1-64]"'
[ "$(grep -cx 200 <<<"$OUT")" -eq 64 ] || fail "not 64 answers: $OUT"

say "what is cut looks cut; a client that goes away takes its call with it"
out strict 'curl -sS -f -m 20 -o /dev/null -H "Authorization: Bearer $API_KEY" "$API_URL/cut" 2>/dev/null; echo "cut $?"
    curl -sS -m 1 -o /dev/null -H "Authorization: Bearer $API_KEY" "$API_URL/forever/1"'
hasnt "$OUT" 'cut 0'
within 10 grep -qF '"gone": "/forever/1"' "$C/one.log" || fail "the call goes on"

say "the relay is the task's to kill, not to use: no trace, no descriptor; it comes back"
cat >"$HOME/work/relay.py" <<'PY'
import ctypes, os, signal, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def ask():
    return subprocess.run(["curl", "-sS", "-f", "-m", "20", "-o", "/dev/null", "-H", "Authorization: Bearer "
                           + os.environ["API_KEY"], os.environ["API_URL"] + "/again"], check=False).returncode
assert ask() == 0
def relays():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with open("/proc/%s/comm" % pid, encoding="utf-8") as f:
            if f.read().strip() == "ag-relay":
                yield int(pid)
found = list(relays())
assert len(found) == 1, found
pid = found[0]
for name, number, args in (("ptrace", 101, (0x4206, pid, 0, 0)), ("pidfd_getfd", 438, (os.pidfd_open(pid), 0, 0)),
                           ("process_vm_readv", 310, (pid, 0, 0, 0, 0, 0)), ("kcmp", 312, (pid, os.getpid(), 0, 0, 0))):
    got = libc.syscall(number, *args)
    print(name, "refused" if got < 0 else "ALLOWED")
for name in ("fd", "mem", "maps", "environ", "ns/net", "root"):
    path = "/proc/%d/%s" % (pid, name)
    try:
        os.listdir(path) if name == "fd" else os.readlink(path) if name in ("ns/net", "root") else open(path, "rb").read(1)
        print(name, "ALLOWED")
    except OSError:
        print(name, "refused")
import socket
with socket.socket() as s:
    for option in (socket.SO_REUSEPORT, socket.SO_REUSEADDR):
        s.setsockopt(socket.SOL_SOCKET, option, 1)
    try:
        s.bind(("127.0.0.1", int(os.environ["API_URL"].split(":")[2].split("/")[0])))
        s.listen()
        print("port ALLOWED")
    except OSError:
        print("port refused")
os.kill(pid, signal.SIGKILL)
assert ask() == 0
print("back", list(relays()) != [pid])
PY
out strict 'python3 relay.py'
[ $RC -eq 0 ] || fail "relay.py: $RC $OUT $ERR"
hasnt "$OUT" ALLOWED "what may be done to the relay"
has "$OUT" 'back True'
[ "$(grep -c refused <<<"$OUT")" -eq 11 ] || fail "not all was tried: $OUT"

say "offline there is no way at all"
refused 'offline has no network' auth-guard run --isolate=offline --proxy "$P" -- true
run auth-guard run --isolate=offline -- sh -c "curl -sS -m 5 -o /dev/null http://127.0.0.1:$(cat "$SOCKETS/port")/v1/health"
[ $RC -eq 7 ] || fail "offline: $RC $ERR"

say "an end is an end: the relay does not hold the task"
begun=$(date +%s%N)
out strict 'curl -sS -m 20 -o /dev/null "$API_URL/" & sleep 0.2; exit 3'
[ $RC -eq 3 ] || fail "exit $RC"
[ $(($(date +%s%N) - begun)) -lt 5000000000 ] || fail "the end took long"
sleep 0.2
[ -z "$(mine ag-relay)" ] || fail "a relay is left"
audit_verifies
no_leak
