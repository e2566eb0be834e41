# rotation_lib.sh - a vault, a service that is a file, and the program on record
# that rotates there; what must hold after any fault. Sourced by scenarios.
QUICK=$BIN/e2e_quick.so
export LD_PRELOAD=$QUICK
vault
unset LD_PRELOAD
service=$C/service # one line per credential that works: "rotation value"
mode=$C/mode       # "ACT FAULT", once; then what $mode.next says
calls=$C/calls
tried=0

start_broker() {
    within 5 broker_gone || fail "the last broker is still there"
    rm -f "$SOCKETS"/*.sock
    LD_PRELOAD=$QUICK auth-guardd >"$C/broker.out" 2>"$C/broker.err" &
    within 5 test -S "$SOCKETS/admin.sock" || fail "no broker: $(cat "$C/broker.err")"
    ok auth-guard unlock
}
ok auth-guard stop
start_broker

# ---- the service's program: values on descriptors, JSON in and out ----
cat >"$C/rotator" <<END
#!/bin/bash
service=$service mode=$mode calls=$calls
END
cat >>"$C/rotator" <<'END'
act=$1
read -r told
rotation=${told#*\"rotation\":\"} rotation=${rotation%%\"*}
IFS= read -r -d '' old <&3
IFS= read -r -d '' new <&4
printf '%s %s\n' "$act" "$rotation" >>"$calls"
tr '\0' '\n' <"/proc/$$/environ" >"$calls.environ"
tr '\0' '\n' <"/proc/$$/cmdline" >"$calls.argv"
fault=
if [ -f "$mode" ]; then
    read -r when what <"$mode"
    if [ "$when" = "$act" ]; then
        fault=$what
        rm -f "$mode"
        [ ! -f "$mode.next" ] || mv "$mode.next" "$mode"
    fi
fi
end() { # at BEFORE or AFTER the effect
    case $fault in
    "kill_$1") kill -9 "$(cat "$service.broker")"; sleep 5 ;;
    "exit_$1") exit 3 ;;
    "hang_$1") sleep 60 ;;
    "garbage_$1") printf 'not JSON'; exit 0 ;;
    "flood_$1") head -c 100000 /dev/zero; exit 0 ;;
    "refused_$1") printf '{"outcome":"refused","code":"said_no"}'; exit 0 ;;
    "later_$1") printf '{"outcome":"later","code":"busy"}'; exit 0 ;;
    "silent_$1") exit 0 ;;
    esac
}
drop() { grep -v -- "$1" "$service" >"$service.new"; mv "$service.new" "$service"; }
end before
case $act in
prepare)
    if [ -z "$new" ]; then
        grep -q "^$rotation " "$service" || echo "$rotation made-$(head -c 24 /dev/urandom | base64 -w0 | tr '+/' '_-')" >>"$service"
        made=$(sed -n "s/^$rotation //p" "$service")
    else
        grep -qxF -- "$rotation $new" "$service" || echo "$rotation $new" >>"$service"
    fi ;;
verify) grep -q -- " $new\$" "$service" || { printf '{"outcome":"refused","code":"not_known"}'; exit 0; } ;;
retire) [ -z "$old" ] || drop " $old\$" ;;
undo) drop "^$rotation " ;;
esac
end after
[ -z "$made" ] || printf '%s\n' "$made" >&5
printf '{"outcome":"done"}'
END
chmod 755 "$C/rotator"

works() { grep -q -- " $1\$" "$service"; }
current() { auth-guard get svc/key 2>/dev/null; }
begin() { # a fresh secret that the service knows
    local value
    value=$(canary old-)
    rm -f "$mode"
    printf %s "$value" | auth-guard put svc/key >/dev/null 2>&1 || fail put
    printf '0 %s\n' "$value" >"$service"
    broker_pid >"$service.broker"
    chmod 600 "$service.broker"
}
state() { auth-guard rotate log svc/key --json | jq -r '.rotations[0].state'; }
note_values() { sed 's/^[0-9]* //' "$service" >>"$C/canaries"; }
# What must hold after any fault, when the next runs have gone on with it.
settled() {
    local i now
    now=$(current)
    note_values
    works "$now" || fail "$what: the current credential does not work at once"
    for i in 1 2 3 4 5; do
        run auth-guard rotate svc/key
        case $(state) in done) break ;; esac
    done
    now=$(current)
    note_values
    works "$now" || fail "$what: no credential works; state $(state)"
    [ "$(wc -l <"$service")" -eq 1 ] || fail "$what: $(wc -l <"$service") credentials at the service, state $(state)"
    [ "$(state)" = done ] || fail "$what: the journal ends with $(state): $(auth-guard rotate log svc/key --json)"
    auth-guard versions svc/key --json | jq -e '[.versions[] | select(.state == "pending" )] | length == 0' >/dev/null ||
        fail "$what: a pending version is left: $(auth-guard versions svc/key --json)"
}

