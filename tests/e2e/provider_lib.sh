# provider_lib.sh - a vault, and the service that stands for AWS and GitHub
# (provider_service.py). Sourced by scenarios.
if [ -z "${QUICK-}" ]; then # a scenario may have a vault already
    . "$SRC/tests/e2e/lib.sh"
    QUICK=$BIN/e2e_quick.so
    export LD_PRELOAD=$QUICK
    vault
    unset LD_PRELOAD
fi
P=$C/provider
mkdir "$P"
openssl genrsa -traditional -out "$P/app.pem" 2048 2>/dev/null || fail "no key"
openssl rsa -in "$P/app.pem" -pubout -out "$P/app.pub" 2>/dev/null
grep -v -- ----- "$P/app.pem" | sed -n 5p >>"$C/canaries"
python3 "$SRC/tests/e2e/provider_service.py" "$P" >"$P/ready" 2>"$P/err" &
at_end "kill $!"
within 10 grep -q READY "$P/ready" || fail "no service: $(cat "$P/err")"
URL=http://127.0.0.1:$(cut -d' ' -f2 "$P/ready")
control() { curl -sS -m 20 "$URL/control/$1"; }
broker_pid >"$P/broker"
tried=0

start_broker() {
    within 5 broker_gone || fail "the last broker is still there"
    rm -f "$SOCKETS"/*.sock
    LD_PRELOAD=$QUICK auth-guardd >"$C/broker.out" 2>"$C/broker.err" &
    within 5 test -S "$SOCKETS/admin.sock" || fail "no broker: $(cat "$C/broker.err")"
    ok auth-guard unlock
    broker_pid >"$P/broker"
}
point() { # ACTION FAULT: a broker that was killed is started anew
    tried=$((tried + 1))
    case $2 in kill_*)
        within 5 broker_gone || fail "$what: the broker lives"
        start_broker ;;
    esac
    rm -f "$P/mode" "$P/mode.next"
}
