# P10: broker, filter, supervisor and prompts can't be traced or dumped; a
# neighbour gets no list, no value, no task, no approval; an operator without
# fresh proof does nothing that needs one; malformed requests change nothing.
vault
value=$(canary)
printf %s "$value" | auth-guard put web/key >/dev/null 2>&1 || fail put

sealed() { # PID WHAT
    local pid=$1
    [ -n "$pid" ] && [ -d "/proc/$pid" ] || fail "no process: $2"
    [ ! -r "/proc/$pid/environ" ] || { cat "/proc/$pid/environ" >/dev/null 2>&1 && fail "$2: environ is readable"; }
    /usr/bin/python3 - "$pid" <<'PY' || fail "$2: memory can be read or traced"
import ctypes, os, sys
pid = int(sys.argv[1])
try:
    os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    sys.exit("mem opened")
except PermissionError:
    pass
libc = ctypes.CDLL(None, use_errno=True)
for request in (16, 0x4206):  # ATTACH, SEIZE
    if libc.ptrace(request, pid, None, None) == 0:
        sys.exit("traced")
buf = ctypes.create_string_buffer(64)
class iov(ctypes.Structure):
    _fields_ = [("b", ctypes.c_void_p), ("n", ctypes.c_size_t)]
a, b = iov(ctypes.addressof(buf), 64), iov(0x400000, 64)
if libc.process_vm_readv(pid, ctypes.byref(a), 1, ctypes.byref(b), 1, 0) >= 0:
    sys.exit("process_vm_readv")
PY
    if command -v gdb >/dev/null; then
        gdb -p "$pid" --batch -ex "generate-core-file $S/core.$pid" >/dev/null 2>&1
        [ ! -e "$S/core.$pid" ] || fail "$2: gdb wrote a core"
    fi
    say "not to be traced or read: $2"
}
for who in auth-guardd ag-filter ag-witness; do
    pid=$(mine $who) || fail "no $who"
    sealed "$pid" "$who"
done
auth-guard run --env X=web/key -- sh -c 'echo >"$0/in-task"; exec sleep 60' "$TREE" &
within 10 test -e "$TREE/in-task" || fail "the task did not start"
sealed $! "the supervisor of a task"
kill $! && wait $!
# A get that waits for its passphrase, on a terminal of its own.
cat >"$S/prompt.sh" <<'SH'
auth-guard unlock
unset AUTH_GUARD_PASSPHRASE_FILE
sh -c 'auth-guard get web/key; true'
SH
(sleep 60 | script -qefc "sh $S/prompt.sh" "$C/typescript" >/dev/null 2>&1 &)
within 10 grep -q 'assphrase' "$C/typescript" || fail "no prompt: $(cat "$C/typescript")"
prompt=$(mine auth-guard | head -n 1)
sealed "$prompt" "a get that waits for a passphrase"
kill "$prompt"
# A core on SIGABRT: none.
(ulimit -c unlimited; cd "$S" && auth-guard run --env X=web/key -- sh -c 'exit 0')
no_leak

# A neighbour: same uid, another session.
none() { # COMMAND…
    run neighbour "$@"
    [ $RC -ne 0 ] || fail "a neighbour was allowed: $* :: $OUT"
    hasnt "$OUT$ERR" "$value" "a neighbour's output"
}
none auth-guard list
none auth-guard get web/key
none auth-guard release web/key
none auth-guard run --env X=web/key -- sh -c 'echo "$X"'
none auth-guard task list
none auth-guard token create --grant web/key:read
none auth-guard approve 1
none auth-guard rekey
none auth-guard audit tail
none auth-guard exposure web/key
none sh -c 'printf x | auth-guard put web/key'
none sh -c 'printf %s x | auth-guard redact'
ok neighbour auth-guard status
hasnt "$OUT" web/key "status for a neighbour"
for route in 'GET /v1/secrets' 'GET /v1/secrets/web%2Fkey/value' 'POST /v1/tasks' 'GET /v1/audit' \
    'POST /v1/lock' 'POST /v1/stop' 'POST /v1/redact' 'POST /v1/proof' 'POST /v1/tokens'; do
    for sock in admin task; do
        run neighbour curl -s -o /dev/null -w '%{http_code}' -X "${route% *}" \
            -H 'Content-Type: application/json' -d '{}' --unix-socket "$SOCKETS/$sock.sock" "http://localhost${route#* }"
        [ "${OUT:0:1}" = 4 ] || fail "a neighbour got $OUT for $route on $sock.sock"
    done
done
if [ -n "${XDG_RUNTIME_DIR-}" ] && systemd-run --user --quiet true 2>/dev/null; then
    run systemd-run --user --wait --pipe --quiet auth-guard get web/key
    [ $RC -ne 0 ] || fail "systemd-run --user was allowed"
fi
say "a neighbour got nothing"

# The operator's session without a fresh proof: another parent process, no
# passphrase at hand.
noproof() { # COMMAND…
    run env -u AUTH_GUARD_PASSPHRASE_FILE sh -c '"$@"; exit $?' sh "$@"
    [ $RC -ne 0 ] || fail "without proof: $* :: $OUT"
    hasnt "$OUT$ERR" "$value" "an act without proof"
}
ok sh -c 'auth-guard list; exit $?'
noproof auth-guard get web/key
noproof auth-guard release web/key
noproof auth-guard rekey
noproof auth-guard role create r auditor
noproof auth-guard slot add-recovery
noproof auth-guard passphrase
say "an operator without fresh proof reveals and widens nothing"

# Malformed requests: a clear error each, nothing changed, the broker goes on.
/usr/bin/python3 "$SRC/tests/e2e/malformed.py" "$SOCKETS/admin.sock" "$SOCKETS/task.sock" "$SOCKETS/fd.sock" \
    >"$C/malformed" 2>&1 || fail "malformed: $(cat "$C/malformed")"
say "$(tail -n 1 "$C/malformed")"
ok auth-guard get web/key
[ "$OUT" = "$value" ] || fail "the secret changed"
audit_verifies

# What a neighbour leaves where write-backs are kept does not keep the vault shut.
mkdir -m 700 "$VAULT/spill"
mkfifo -m 600 "$VAULT/spill/1.sealed"
mkdir -m 700 "$VAULT/spill/2.sealed"
(umask 077; head -c 200000 /dev/urandom >"$VAULT/spill/3.sealed")
ln -s /etc/passwd "$VAULT/spill/4.sealed"
ok auth-guard lock
ok auth-guard unlock
for i in 1 2 3 4; do has "$OUT$ERR" "spill/$i.sealed"; done
ok auth-guard lock
rm -r "$VAULT/spill"
ln -s /tmp "$VAULT/spill"
ok auth-guard unlock
has "$OUT$ERR" spill
ok auth-guard get web/key
say "rubbish among the write-backs is named and left alone"

# Tries for the passphrase at the same time are tried one after another, so the
# wait after some misses holds for them too.
tries=()
for i in 1 2 3 4 5 6 7 8; do
    curl -s -o "$C/try.$i" --unix-socket "$SOCKETS/admin.sock" \
        -H 'Content-Type: application/json' -d '{"passphrase":"wrong horse battery"}' \
        http://localhost/v1/proof &
    tries+=($!)
done
wait "${tries[@]}"
wrong=$(cat "$C"/try.? | grep -o '"code":"wrong_passphrase"' | wc -l)
[ "$wrong" -ge 1 ] && [ "$wrong" -le 4 ] || fail "$wrong of 8 tries at once were tried: $(cat "$C"/try.?)"
say "$wrong of 8 tries at once were tried, the others told to wait"
