# P3: the password of a role that stays rotates by two users that take turns, at a
# real PostgreSQL: under a client that logs in anew all the time without one failed
# login, and with every fault on the way.
# long: yes
# timeout: 600
. "$SRC/tests/e2e/postgres_lib.sh"
mode=$C/mode
mkfifo "$C/proxy.port"
python3 "$SRC/tests/e2e/pg_proxy.py" "$PGPORT" "$mode" "$C/proxy.log" >"$C/proxy.port" 2>"$C/proxy.err" &
CLEANUP+=("kill $!")
read -r PROXY <"$C/proxy.port" || fail "no proxy"
ok auth-guard stop
start_broker
first=$(canary | tr -d '_-')
PGOPTIONS='-c log_statement=none' sql "CREATE ROLE app_a LOGIN PASSWORD '$first' IN ROLE reader; CREATE ROLE app_b IN ROLE reader"
printf '%s\n' "$first" >>"$C/canaries"
printf '{"username":"app_a","password":"%s","host":"127.0.0.1","port":%s,"dbname":"app"}' "$first" "$PGPORT" |
    auth-guard put db/static >"$C/out" 2>&1 || fail "put: $(cat "$C/out")"
rule() { auth-guard rotate rule set --every 30d --rotator postgres --users app_a,app_b --from db/boss "$@" db/static; }

# ---- what is refused ----
refused 'users' auth-guard rotate rule set --every 30d --rotator postgres --users app_a --from db/boss \
    --endpoint "postgresql://boss@127.0.0.1:$PROXY/app" db/static
refused 'endpoint' rule --endpoint "mysql://boss@127.0.0.1/app"
refused 'host' rule --endpoint "postgresql://boss@/app"
refused 'source' auth-guard rotate rule set --every 30d --rotator postgres --users app_a,app_b \
    --endpoint "postgresql://boss@127.0.0.1:$PROXY/app" db/static
refused 'proof|operator' neighbour auth-guard rotate rule set --every 30d --rotator postgres --users app_a,app_b \
    --from db/boss --endpoint "postgresql://boss@127.0.0.1:$PROXY/app" db/static
ok rule --grace 1s --endpoint "postgresql://boss@127.0.0.1:$PROXY/app"

current() { auth-guard get db/static 2>"$C/get.err"; }
login() { # VALUE
    PGPASSWORD=$(jq -r .password <<<"$1") psql -XAtq -h 127.0.0.1 -p "$PGPORT" -d app \
        -U "$(jq -r .username <<<"$1")" -c 'SELECT session_user' 2>&1
}
state() { auth-guard rotate log db/static --json | jq -r '.rotations[0].state'; }
at_rest() {
    case $(state) in done | undone | abandoned) return 0 ;; esac
    auth-guard rotate db/static >"$C/rotate.out" 2>&1
    return 1
}

# ---- under a client that logs in anew all the time ----
cat >"$TREE/use" <<END
#!/bin/bash
PGPASSWORD=\$(jq -r .password <<<"\$DB") exec psql -XAtq -h 127.0.0.1 -p $PGPORT -d app \
    -U "\$(jq -r .username <<<"\$DB")" -c 'SELECT session_user'
END
chmod 755 "$TREE/use"
for client in 1 2; do
    while [ ! -e "$C/stop" ]; do
        auth-guard run --no-isolate --env DB=db/static -- "$TREE/use" >>"$C/seen.$client" 2>>"$C/failed.$client" || echo failed >>"$C/failed.$client"
    done &
    clients+=($!)
done
for round in 1 2 3 4; do
    before=$(current)
    printf '%s\n' "$(jq -r .password <<<"$before")" >>"$C/canaries"
    ok auth-guard rotate --json db/static
    [[ $(jq -r '.items[0].result' <<<"$OUT") =~ rotated|done ]] || fail "round $round: $OUT"
    after=$(current)
    [ "$(jq -r .username <<<"$after")" != "$(jq -r .username <<<"$before")" ] || fail "the users do not take turns"
    [ "$(jq -r .dbname <<<"$after")" = app ] || fail "the rest of the value is lost: $(jq -c 'del(.password)' <<<"$after")"
    within 30 at_rest || fail "round $round does not end: $(auth-guard rotate log db/static)"
    [ "$(state)" = done ] || fail "round $round: $(auth-guard rotate log db/static)"
    [[ $(login "$after") =~ ^app_ ]] || fail "the new one does not work"
    [[ $(login "$before") =~ failed ]] || fail "the old one still works"
done
touch "$C/stop"
wait "${clients[@]}"
logins=$(cat "$C"/seen.* | grep -c '^app_')
[ ! -s "$C/failed.1" ] && [ ! -s "$C/failed.2" ] || fail "logins failed: $(cat "$C"/failed.* | sort | uniq -c | head -5)"
[ "$(cat "$C"/seen.* | sort -u | wc -l)" -eq 2 ] && [ "$logins" -ge 20 ] || fail "too few logins: $logins"
say "rotated 4 times under two clients: $logins logins as both users, none failed"

# ---- with every fault ----
ok rule --endpoint "postgresql://boss@127.0.0.1:$PROXY/app"
tried=0
point() { # WORD FAULT
    local pid=
    [[ $2 != kill_* ]] || pid=$(broker_pid)
    printf '%s %s %s\n' "$1" "$2" "$pid" >"$mode"
    auth-guard rotate db/static >"$C/rotate.out" 2>&1
    if [[ $2 = kill_* ]]; then
        within 10 broker_gone || fail "$*: the broker lives"
        start_broker
    fi
    [ ! -e "$mode" ] || fail "$*: the fault did not happen"
    [[ $(login "$(current)") =~ ^app_ ]] || fail "$*: no credential works at once"
    within 30 at_rest || fail "$*: not at rest: $(auth-guard rotate log db/static)"
    current=$(current)
    [[ $(login "$current") =~ ^app_ ]] || fail "$*: no credential works"
    idle=$(jq -r 'if .username == "app_a" then "app_b" else "app_a" end' <<<"$current")
    [ "$(sql "SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = '$idle'")" = t ] || fail "$*: $idle has a password that nobody knows"
    tried=$((tried + 1))
}
for word in SCRAM-SHA-256 NULL; do
    for fault in cut_before cut_after kill_before kill_after; do
        point "$word" "$fault"
    done
done
say "answers lost before and after the effect, the broker killed, at prepare and retire: $tried points"
sql 'ALTER ROLE boss NOCREATEROLE'
run auth-guard rotate db/static
[ "$RC" -eq 3 ] || fail "a refusal is exit $RC: $OUT $ERR"
sql 'ALTER ROLE boss CREATEROLE'
[[ $(login "$(current)") =~ ^app_ ]] || fail "refused, and nothing works"
ok auth-guard audit verify
