# P3: the broker killed at its own system calls during adopt, release, put,
# write-back and rekey; the next broker finishes or undoes.
# long: yes
# timeout: 2700
#
# Every CRASH_BROKER_STEP-th call that can change something is tried, from a
# random start; CRASH_BROKER_STEP=1 tries all. The broker that recovers from one
# point is the one that dies at the next, so that a point costs one start; keys
# are derived at the smallest cost.
QUICK=$BIN/e2e_quick.so
export LD_PRELOAD=$QUICK
vault
unset LD_PRELOAD
ok auth-guard stop
mkdir -m 700 "$HOME/.codex"
f=$HOME/.codex/auth.json
step=${CRASH_BROKER_STEP:-3}
first=$((RANDOM % step + 1))
tried=0
within 5 broker_gone || fail "the broker did not stop"

start_armed() { # N: a broker whose N-th call after arming is its last
    within 5 broker_gone || fail "the last broker is still there"
    rm -f "$SOCKETS"/*.sock
    LD_PRELOAD=$QUICK e2e_crash -a "$1" auth-guardd >"$C/broker.out" 2>"$C/broker.err" &
    tracer=$!
    within 5 test -S "$SOCKETS/admin.sock" || fail "the broker did not start: $(cat "$C/broker.err")"
    ok auth-guard unlock
}
end_armed() {
    kill -TERM $tracer 2>/dev/null
    wait $tracer
    BROKER_RC=$?
}
make_file() {
    key=$(canary sk-proj-)
    rm -f "$f"
    (umask 077; printf '{"OPENAI_API_KEY":"%s"}\n' "$key" >"$f")
}
in_vault() { auth-guard get 'codex/default' 2>/dev/null | grep -qF -- "$key"; }
on_disk() { grep -qF -- "$key" "$f" 2>/dev/null; }
one_copy() {
    local copies=0
    in_vault && copies=$((copies + 1))
    on_disk && copies=$((copies + 1))
    [ $copies -eq 1 ] || fail "$what, broker killed at call $n: $copies good copies"
}

try_all() { # WHAT: functions before_WHAT, act_WHAT, check_WHAT
    local what=$1
    BROKER_RC=137
    start_armed "$first"
    for ((n = first; BROKER_RC == 137; n += step)); do
        "before_$what"
        kill -USR1 $tracer
        sleep 0.02
        "act_$what" >"$C/out" 2>"$C/err"
        sleep 0.02
        end_armed
        tried=$((tried + 1))
        start_armed $((n + step))
        "check_$what"
        ok auth-guard audit verify
    done
    end_armed
    say "$what: calls $first to $((n - step)) in steps of $step tried"
}

before_adopt() { auth-guard rm --yes codex/default >/dev/null 2>&1; make_file; }
act_adopt() { timeout 60 auth-guard adopt --profile codex "$f"; }
check_adopt() { one_copy; }
before_release() { auth-guard rm --yes codex/default >/dev/null 2>&1; make_file; ok auth-guard adopt --profile codex "$f"; }
act_release() { timeout 60 auth-guard release codex/default; }
check_release() { one_copy; rm -f "$f"; }
before_put() { old=$(canary) new=$(canary); printf %s "$old" | auth-guard put some/thing >/dev/null 2>&1; }
act_put() { printf %s "$new" | timeout 60 auth-guard put some/thing; PUT_RC=$?; }
check_put() {
    ok auth-guard get some/thing
    [ "$OUT" = "$old" ] || [ "$OUT" = "$new" ] || fail "put, broker killed at call $n: neither value"
    [ "$PUT_RC" -ne 0 ] || [ "$OUT" = "$new" ] || fail "put was acknowledged and lost"
}
before_rekey() { old=$(canary); printf %s "$old" | auth-guard put some/thing >/dev/null 2>&1; }
act_rekey() { timeout 60 auth-guard rekey; }
check_rekey() { ok auth-guard get some/thing; [ "$OUT" = "$old" ] || fail "rekey, killed at call $n: value lost"; }
before_writeback() {
    auth-guard rm --yes codex/default >/dev/null 2>&1
    make_file
    ok auth-guard adopt --profile codex "$f"
    new=$(canary sk-proj-)
}
act_writeback() {
    NEW=$new timeout 60 auth-guard run --profile codex --grade file -- sh -c \
        'd=$(dirname "$(readlink -f ~/.codex/auth.json)"); umask 077
         printf "{\"OPENAI_API_KEY\":\"%s\"}\n" "$NEW" >"$d/.auth-1"; mv "$d/.auth-1" "$d/auth.json"; sleep 0.2'
}
check_writeback() {
    ok auth-guard get codex/default
    [[ $OUT == *"$key"* || $OUT == *"$new"* ]] || fail "write-back, killed at call $n: neither value"
    [ ! -e "$f" ] || fail "write-back, killed at call $n: a file is left outside"
}

for what in adopt release put writeback rekey; do
    try_all $what
done
no_leak
say "$tried points tried in all"
