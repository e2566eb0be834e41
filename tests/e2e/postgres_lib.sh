# postgres_lib.sh - a vault, and a PostgreSQL server of this scenario's own, as the
# ordinary user: a database, who makes roles in it, a role to be a member of.
# Sourced by scenarios.
QUICK=$BIN/e2e_quick.so
export LD_PRELOAD=$QUICK
vault
unset LD_PRELOAD
PGBIN=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
[ -x "$PGBIN/initdb" ] || fail "no PostgreSQL server: packaging/deps.sh test"
PGDIR=$S/pg
PGPORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
PGLOG=$S/pg.log # what the server writes: searched for values like all else
root_word=$(canary | tr -d '_-')
boss_word=$(canary | tr -d '_-')
printf '%s\n' "$root_word" "$boss_word" >>"$C/canaries"

pg_start() {
    "$PGBIN/pg_ctl" -s -w -D "$PGDIR" -l "$PGLOG" -o "-p $PGPORT -h 127.0.0.1 -k '' \
        -c fsync=off -c synchronous_commit=off -c max_connections=300 \
        -c log_statement=all -c shared_buffers=64MB -c max_locks_per_transaction=256" start ||
        fail "PostgreSQL does not start: $(tail -5 "$PGLOG")"
}
pg_stop() { "$PGBIN/pg_ctl" -s -w -m "${1:-fast}" -D "$PGDIR" stop; }
pg_end() { [ ! -f "$PGDIR/postmaster.pid" ] || pg_stop immediate; }
CLEANUP+=(pg_end)
sql() { PGPASSWORD=$root_word psql -XAtq -h 127.0.0.1 -p "$PGPORT" -U root -d "${DB:-app}" -c "$1"; }

printf '%s\n' "$root_word" >"$C/root_word"
"$PGBIN/initdb" -D "$PGDIR" -U root --auth=scram-sha-256 --pwfile="$C/root_word" --no-sync \
    -E UTF8 --locale=C >"$C/initdb.out" 2>&1 || fail "initdb: $(cat "$C/initdb.out")"
pg_start
PGOPTIONS='-c log_statement=none' DB=postgres sql "CREATE ROLE boss LOGIN CREATEROLE PASSWORD '$boss_word'" || fail "no boss"
DB=postgres sql 'CREATE DATABASE app OWNER boss' || fail "no database"
sql 'CREATE ROLE reader NOLOGIN; CREATE ROLE writer NOLOGIN' || fail "no role"
sql 'CREATE TABLE seen (id int); GRANT SELECT, INSERT ON seen TO reader; GRANT CREATE ON SCHEMA public TO writer'
printf '%s' "$boss_word" | auth-guard put db/boss >"$C/out" 2>&1 || fail "put: $(cat "$C/out")"

roles() { sql "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'ag\_%'"; }
no_roles() { [ "$(roles)" = 0 ]; }
minted_open() { auth-guard mint list --json | jq '.minted | length'; }
none_open() { [ "$(minted_open)" = 0 ]; }
# Of a making whose answer was lost, and that came to nothing, it is known only later.
rested() { auth-guard mint list --json | jq -e 'all(.minted[]; .code == "may_yet_come")' >/dev/null; }

start_broker() {
    within 5 broker_gone || fail "the last broker is still there"
    rm -f "$SOCKETS"/*.sock
    LD_PRELOAD=$QUICK auth-guardd >"$C/broker.out" 2>"$C/broker.err" &
    within 5 test -S "$SOCKETS/admin.sock" || fail "no broker: $(cat "$C/broker.err")"
    ok auth-guard unlock
}

mint_set() { # NAME [PARAM]…
    local name=$1
    shift
    ok auth-guard mint set --minter postgres --from db/boss "$name" \
        host=127.0.0.1 "port=$PGPORT" dbname=app user=boss roles=reader "$@"
}
