# P1: a copied vault gives neither values nor names; a changed, swapped,
# truncated or rolled-back row or file is noticed and named.
vault
value=$(canary)
name=alpha/$(canary n | tr 'A-Z_' 'a-z-' | cut -c1-24)
printf '%s\n' "${name#alpha/}" >>"$C/canaries"
printf %s "$value" | auth-guard put "$name" >/dev/null 2>&1 || fail "put"
printf %s "$(canary)" | auth-guard put beta/two >/dev/null 2>&1 || fail "put"
ok auth-guard get "$name"
[ "$OUT" = "$value" ] || fail "the value did not come back"
no_leak
say "values and names are in no file of the vault"

ok auth-guard stop
within 5 broker_gone || fail "the broker did not stop"
cp -a "$VAULT" "$S/good"

again() { # STATE-DIR: puts it in place
    auth-guard stop >/dev/null 2>&1
    within 5 broker_gone
    rm -rf "$VAULT"
    cp -a "$1" "$VAULT"
}
noticed() { # WORD: unlock, get or verify must name it
    local all=
    run auth-guard unlock
    all+=$OUT$ERR
    run auth-guard get "$name"
    all+=$ERR
    run auth-guard audit verify
    all+=$OUT$ERR
    [[ $all =~ $1 ]] || fail "not noticed ($1): $all"
}

sql() { /usr/bin/python3 - "$VAULT/vault.db" "$1" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript(sys.argv[2])
db.commit()
db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
db.close()
PY
}
tampered() { # WHAT SQL
    again "$S/good"
    sql "$2" || fail "could not prepare: $1"
    noticed 'verif|corrupt|roll|tamper|changed|older|missing|gap|ends at|is gone'
    say "noticed: $1"
}
tampered "a changed value" "UPDATE version SET value = randomblob(length(value)) WHERE id = 1"
tampered "two values swapped" "CREATE TEMP TABLE keep AS SELECT id, wrapped, value FROM version;
    UPDATE version SET value = (SELECT value FROM keep WHERE keep.id = 3 - version.id),
        wrapped = (SELECT wrapped FROM keep WHERE keep.id = 3 - version.id) WHERE id IN (1, 2)"
tampered "two rows swapped" "CREATE TEMP TABLE keep AS SELECT * FROM version;
    UPDATE version SET value = (SELECT value FROM keep WHERE keep.id = 3 - version.id),
        wrapped = (SELECT wrapped FROM keep WHERE keep.id = 3 - version.id),
        tag = (SELECT tag FROM keep WHERE keep.id = 3 - version.id) WHERE id IN (1, 2)"
tampered "a changed audit row" "UPDATE audit SET body = randomblob(length(body)) WHERE seq = 2"
tampered "a missing audit row" "DELETE FROM audit WHERE seq = 3"
tampered "the newest audit rows cut off" "DELETE FROM audit WHERE seq > (SELECT max(seq) - 2 FROM audit)"
tampered "a deleted secret row" "PRAGMA foreign_keys = OFF; DELETE FROM version WHERE secret_id = 1; DELETE FROM secret WHERE id = 1"

# The whole database of an earlier day, beside today's counter.
again "$S/good"
ok auth-guard unlock
printf %s "$(canary)" | auth-guard put gamma/three >/dev/null 2>&1 || fail "put"
ok auth-guard stop
within 5 broker_gone
rm -f "$VAULT"/vault.db*
cp -a "$S"/good/vault.db* "$VAULT/"
run auth-guard unlock
[ $RC -ne 0 ] || fail "a rolled-back vault was opened"
[[ "$OUT$ERR" =~ older|roll|ends\ at ]] || fail "not named: $ERR"
say "noticed: a rolled-back database ($ERR)"
# A person who restored it on purpose says so, and that is on the record.
has "$ERR" --accept-rollback
ok auth-guard unlock --accept-rollback
ok auth-guard audit verify
ok auth-guard audit tail
has "$OUT" vault.restored
ok auth-guard stop
within 5 broker_gone

# What can't be mended in place has a way out that works while it is locked.
again "$S/good"
sql "DELETE FROM slot WHERE id = (SELECT max(id) FROM slot)" || fail "sql"
refused 'unlock --accept-rollback' auth-guard unlock
ok auth-guard stop
within 5 broker_gone
rm -f "$VAULT"/vault.db*
cp -a "$S"/good/vault.db* "$VAULT/"
ok auth-guard unlock --accept-rollback
ok auth-guard get "$name"
[ "$OUT" = "$value" ] || fail "the value did not come back"
ok auth-guard audit verify
ok auth-guard stop
within 5 broker_gone
say "noticed: a removed slot, and the way out"

again "$S/good"
truncate -s 20000 "$VAULT/vault.db"
run auth-guard unlock
[ $RC -ne 0 ] || fail "a truncated vault was opened"
say "noticed: a truncated file"

again "$S/good"
chmod 644 "$VAULT/vault.db"
run auth-guard unlock
[ $RC -ne 0 ] || fail "a vault open to others was opened"
say "refused: wrong mode"

# A broker that gives up says why by the one that started it.
again "$S/good"
chmod 666 "$VAULT/vault.head"
refused 'vault.head is open to others' auth-guard unlock
chmod 600 "$VAULT/vault.head"
rm "$VAULT/uses.journal"
mkfifo -m 600 "$VAULT/uses.journal"
refused 'uses.journal is not a regular file' auth-guard unlock
say "refused: files that were exchanged, each by its name"

again "$S/good"
ok auth-guard unlock
ok auth-guard get "$name"
[ "$OUT" = "$value" ] || fail "the good copy no longer opens"
