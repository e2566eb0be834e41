# P3, P5: no sighting is lost: however many values an output has, and however
# abruptly its stream ends, what was let out redacted has opened its incident.
. "$SRC/tests/e2e/lib.sh"
vault
seen() { auth-guard incident list --json | jq -e --arg name "$1" '.incidents | any(.secret == $name)'; }
new() { canary "$1" | auth-guard put "$1" >/dev/null 2>&1 || fail "put $1"; }

# ---- more values than a report has rows, then one more ----
head -c $((300 * 27)) /dev/urandom | base64 -w36 | sed 's/^/k/' | jq -cRn '[inputs]' | auth-guard put many/keys >/dev/null 2>&1 || fail put
new one/last
ok auth-guard rotate rule set --on-leak hold one/last
ok auth-guard run --no-isolate --env X=many/keys --env Y=one/last -- sh -c 'printf %s "$X" | jq -r ".[]"; printf "%s\n" "$Y"'
[ "$(grep -c '^\[redacted' <<<"$OUT")" -eq 301 ] || fail "redacted: $OUT"
seen many/keys && seen one/last || fail "lost: $(auth-guard incident list --json)"
refused 'on hold' auth-guard run --no-isolate --env Y=one/last -- true
audit_has stream.ended one/last
say "300 values in one output, and what came behind them"

# ---- killed as soon as it is out ----
for what in filter broker caller; do
    new "$what/first"
    new "$what/second"
    auth-guard run --no-isolate --env X="$what/first" --env Y="$what/second" -- sh -c 'printf "%s\n" "$X"; printf "%s\n" "$Y"; sleep 30' >"$C/$what.out" 2>&1 &
    caller=$!
    both() { [ "$(grep -c '^\[redacted' "$C/$what.out")" -eq 2 ]; }
    within 10 both || fail "$what: no output: $(cat "$C/$what.out")"
    case $what in
    filter) kill -KILL $(mine ag-filter) ;;
    broker) kill -TERM $(mine auth-guardd) ;;
    caller) kill -KILL $caller ;;
    esac
    wait $caller 2>/dev/null
    if [ $what != caller ]; then
        within 10 broker_gone || fail "$what: the broker lives"
        ok auth-guard unlock
    fi
    within 5 seen "$what/first" && within 5 seen "$what/second" || fail "$what: lost: $(auth-guard incident list --json)"
    say "$what killed: both are there"
done
audit_verifies
no_leak
