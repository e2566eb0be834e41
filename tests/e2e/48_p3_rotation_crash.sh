# P3: the broker killed at its own system calls during a rotation, by `random` and
# by a program that makes the value or is given it; the next broker goes on.
# long: yes
# timeout: 2700
#
# Every CRASH_BROKER_STEP-th call that can change something is tried, from a
# random start; CRASH_BROKER_STEP=1 tries all.
. "$SRC/tests/e2e/rotation_lib.sh"
begin
ok auth-guard rotate program add --limit 20s svc "$C/rotator"
step=${CRASH_BROKER_STEP:-7}
start_armed() { # N
    within 5 broker_gone || fail "the last broker is still there"
    rm -f "$SOCKETS"/*.sock
    LD_PRELOAD=$QUICK e2e_crash -a "$1" auth-guardd >"$C/broker.out" 2>"$C/broker.err" &
    tracer=$!
    within 5 test -S "$SOCKETS/admin.sock" || fail "no broker: $(cat "$C/broker.err")"
    ok auth-guard unlock
}
end_armed() {
    kill -TERM $tracer 2>/dev/null
    wait $tracer
    BROKER_RC=$?
}
ok auth-guard stop
for kind in random generate service; do
    first=$((RANDOM % step + 1))
    BROKER_RC=137
    start_armed "$first"
    points=0
    for ((n = first; BROKER_RC == 137; n += step)); do
        what="$kind, broker killed at call $n"
        begin
        case $kind in
        random) ok auth-guard rotate rule set --every 30d svc/key ;;
        generate) ok auth-guard rotate rule set --every 30d --rotator command --program svc --generate svc/key ;;
        service) ok auth-guard rotate rule set --every 30d --rotator command --program svc svc/key ;;
        esac
        kill -USR1 $tracer
        sleep 0.02
        timeout 60 auth-guard rotate svc/key >"$C/out" 2>"$C/err"
        end_armed
        points=$((points + 1))
        start_armed $((n + step))
        if [ $kind = random ]; then
            run auth-guard rotate svc/key
            value=$(current)
            [ -n "$value" ] || fail "$what: no value"
            printf '%s\n' "$value" >>"$C/canaries"
            case $(state) in done | undone) ;; *) fail "$what: $(state)" ;; esac
        else
            settled
        fi
        ok auth-guard audit verify
    done
    end_armed
    tried=$((tried + points))
    say "$kind: calls $first to $((n - step)) in steps of $step: $points points"
done
start_broker
ok auth-guard audit verify
say "points tried in all: $tried"
no_leak
