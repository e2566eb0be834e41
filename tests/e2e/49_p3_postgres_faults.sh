# P3: a role of PostgreSQL, and what goes wrong on the way: the server refuses, its
# answer is lost before and after the effect, never comes, or the broker is killed;
# at each act of a role's life. After each nothing is left at the server, and the
# next task gets a role that works.
# long: yes
# timeout: 900
. "$SRC/tests/e2e/postgres_lib.sh"
mode=$C/mode
mkfifo "$C/proxy.port"
python3 "$SRC/tests/e2e/pg_proxy.py" "$PGPORT" "$mode" "$C/proxy.log" >"$C/proxy.port" 2>"$C/proxy.err" &
proxy=$!
CLEANUP+=("kill $proxy")
read -r PROXY <"$C/proxy.port" || fail "no proxy"
ok auth-guard stop
start_broker
server=$PGPORT PGPORT=$PROXY
mint_set db/app
PGPORT=$server
cat >"$TREE/use" <<END
#!/bin/bash
PGPASSWORD=\$(jq -r .password <<<"\$DB") exec psql -XAtq -h 127.0.0.1 -p $server -d app \
    -U "\$(jq -r .username <<<"\$DB")" -c 'SELECT 1 + 1'
END
chmod 755 "$TREE/use"
use() { auth-guard run --no-isolate --env DB=db/app -- "$TREE/use"; }
works() { [ "$(use 2>"$C/use.err")" = 2 ]; }
tried=0

whole() { # what must hold after any fault
    within 30 no_roles || fail "$1: $(roles) role(s) are left: $(auth-guard mint list)"
    within 10 rested || fail "$1: still open: $(auth-guard mint list)"
    within 20 works || fail "$1: the next task gets none: $(cat "$C/use.err")"
    within 5 no_roles || fail "$1: the next one is left"
    [ ! -e "$mode" ] || fail "$1: the fault did not happen"
    tried=$((tried + 1))
}

point() { # WORD FAULT
    within 20 works || fail "before $*: $(cat "$C/use.err")"
    local pid=
    [[ $2 != kill_* ]] || pid=$(broker_pid)
    printf '%s %s %s\n' "$1" "$2" "$pid" >"$mode"
    use >"$C/use.out" 2>&1
    if [[ $2 = kill_* ]]; then
        within 10 broker_gone || fail "$*: the broker lives"
        start_broker
    fi
    whole "$*"
}

for act in CREATE NOLOGIN REASSIGN; do
    for fault in cut_before cut_after kill_before kill_after; do
        point "$act" "$fault"
    done
done
say "answers lost before and after the effect, the broker killed, at each act: nothing is left"
point CREATE hang
point REASSIGN hang
say "an answer that never comes: given up, revoked, tried again"

# A making that comes through after its revoke found nothing: looked for once more.
within 20 works || fail "before late: $(cat "$C/use.err")"
echo 'CREATE late' >"$mode"
use >"$C/use.out" 2>&1
[ ! -e "$mode" ] || fail "late: the fault did not happen"
within 10 rested && ! none_open || fail "late: forgotten before it came: $(auth-guard mint list)"
[ "$(roles)" = 0 ] || fail "late: it is not late"
: >"$mode.go"
came() { [ "$(roles)" = 1 ]; }
within 10 came || fail "late: it never came"
within 40 no_roles || fail "late: the role is left: $(auth-guard mint list)"
within 40 none_open || fail "late: looked for for ever: $(auth-guard mint list)"
tried=$((tried + 1))
say "a role that came after its revoke found nothing: gone too"

# The server refuses: what may not be granted, then a login that is no more.
sql 'ALTER ROLE boss NOCREATEROLE'
refused 'could not be made' use
rested || fail "a refusal left a row open"
sql 'ALTER ROLE boss CREATEROLE'
whole 'refused'
sql 'ALTER ROLE boss NOLOGIN'
ok auth-guard lock # so that no session of its is left
ok auth-guard unlock
refused 'could not be made.*sqlstate_28000' use
sql 'ALTER ROLE boss LOGIN'
whole 'no login'
# A revoke that is refused goes on until it is allowed: a table in another database.
sql 'CREATE DATABASE other OWNER boss'
DB=other sql 'GRANT CREATE ON SCHEMA public TO PUBLIC'
cat >"$TREE/elsewhere" <<END
#!/bin/bash
PGPASSWORD=\$(jq -r .password <<<"\$DB") exec psql -XAtq -h 127.0.0.1 -p $server -d other \
    -U "\$(jq -r .username <<<"\$DB")" -c 'CREATE TABLE elsewhere (id int)'
END
chmod 755 "$TREE/elsewhere"
ok auth-guard run --no-isolate --env DB=db/app -- "$TREE/elsewhere"
stays() { auth-guard mint list --json | jq -e '.minted[0].code == "sqlstate_2bp01"' >/dev/null; }
within 10 stays || fail "not told: $(auth-guard mint list)"
[ "$(sql "SELECT rolcanlogin FROM pg_roles WHERE rolname LIKE 'ag\_%'")" = f ] || fail "it may still log in"
DB=other sql 'DROP TABLE elsewhere'
whole 'elsewhere'
say "refused: at the making nothing is left, a revoke goes on until it is allowed"
say "points tried: $tried"
ok auth-guard audit verify
