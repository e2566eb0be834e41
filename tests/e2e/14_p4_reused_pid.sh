# P4: a reused pid and a passed-on socket are not believed. In a PID namespace
# of our own, where the next pid can be chosen.
if ! unshare -Urpf --mount-proc true 2>/dev/null; then
    say "!!! no user namespaces here: the reused pid is not tried !!!"
    exit 0
fi
cat >"$S/inner.sh" <<'INNER'
. "$SRC/tests/e2e/lib.sh"
vault
printf %s "$(canary)" | auth-guard put web/key >/dev/null 2>&1 || fail put
"$SRC/tests/e2e/passed_on.py" "$SOCKETS/task.sock" --reuse >"$C/out" 2>&1 || fail "$(cat "$C/out")"
say "$(tail -n 1 "$C/out")"
audit_verifies
INNER
own_programs
export BIN SRC S RUNDIR CODEX
unshare -Urpf --mount-proc setsid -w bash "$S/inner.sh" || fail "see above"
