# P9: a role of PostgreSQL for each task, at a real server: made at the first use,
# gone when the task ends, whatever dies in between.
# timeout: 600
# long: yes
. "$SRC/tests/e2e/postgres_lib.sh"

# ---- rules: what is refused ----
refused 'minter' auth-guard mint set --minter mysql --from db/boss db/app
refused 'host' auth-guard mint set --minter postgres --from db/boss db/app dbname=app
refused 'verify-full' auth-guard mint set --minter postgres --from db/boss db/app host=db.example.com \
    dbname=app user=boss roles=reader sslmode=disable
refused 'roles' auth-guard mint set --minter postgres --from db/boss db/app host=127.0.0.1 dbname=app user=boss
refused 'not in the vault' auth-guard mint set --minter postgres --from db/none db/app host=127.0.0.1 \
    dbname=app user=boss roles=reader
printf '{"username":"boss","password":"%s"}' "$boss_word" | auth-guard put db/login >/dev/null 2>&1 || fail put
refused '#/password' auth-guard mint set --minter postgres --from db/login db/app host=127.0.0.1 dbname=app user=boss \
    roles=reader
refused 'value of its own' auth-guard mint set --minter postgres --from db/boss db/boss host=127.0.0.1 \
    dbname=app user=boss roles=reader
refused 'operator' neighbour auth-guard mint set --minter postgres --from db/boss db/app host=127.0.0.1 \
    dbname=app user=boss roles=reader
mint_set db/app
[ "$(auth-guard mint show db/app --json | jq -r .minter)" = postgres ] || fail "no rule"
[ "$(auth-guard list --json | jq -r '.secrets[] | select(.name == "db/app") | "\(.kind) \(.minter) \(.version)"')" = 'minted postgres 0' ] ||
    fail "the list: $(auth-guard list --json)"
ok auth-guard list db/app
[[ $OUT =~ db/app\ +minted.*for\ each\ task\ \(postgres\) ]] || fail "the list: $OUT"
refused 'minted for each task' auth-guard put db/app <<<other-word-of-ours
refused 'no value of its' auth-guard get db/app
no_roles || fail "a role without a use"
audit_has mint.rule_set postgres

# ---- one task: made at its first use, works, is redacted, ends with it ----
cat >"$TREE/use" <<END
#!/bin/bash
# use VALUE [SQL]: the JSON as it was given
PGPASSWORD=\$(jq -r .password <<<"\$1") exec psql -XAtq -h 127.0.0.1 -p $PGPORT -d app \
    -U "\$(jq -r .username <<<"\$1")" -c "\${2:-SELECT current_user}"
END
chmod 755 "$TREE/use"
cat >"$TREE/first" <<END
#!/bin/bash
jq -r .password <<<"\$DB" >"$C/word"
"$TREE/use" "\$DB" 'INSERT INTO seen VALUES (1)' && echo in
echo "got \$DB"
END
chmod 755 "$TREE/first"
ok auth-guard run --no-isolate --env DB=db/app -- "$TREE/first"
[ "$(wc -c <"$C/word")" -eq 33 ] || fail "no password"
cat "$C/word" >>"$C/canaries"
has "$OUT" in
has "$OUT" 'got [redacted]'
hasnt "$OUT" '"password":"' 'the output'
[ "$(sql 'SELECT count(*) FROM seen')" = 1 ] || fail "nothing came in"
within 2 no_roles || fail "the role is still there: $(auth-guard mint list)"
within 2 none_open || fail "still open: $(auth-guard mint list)"
audit_has mint.minted ag_
audit_has mint.ended ag_
say "one task: its role is made, works, is redacted, and gone"

# A task without a use makes none; a reading by the API makes one; two uses, one role.
ok auth-guard run --no-isolate --grant db/app:read -- true
[ "$(sql "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'ag\_%'")" = 0 ] || fail "made without a use"
ok auth-guard run --no-isolate --grant db/app:read --env DB=db/app -- sh -c '
    one=$(auth-guard get db/app) && two=$(auth-guard get db/app) && [ "$one" = "$two" ] && [ "$one" = "$DB" ] && echo same'
has "$OUT" same
within 2 no_roles || fail "roles are left"
# A field, and the address form.
ok auth-guard mint set --minter postgres --from db/boss db/url host=127.0.0.1 "port=$PGPORT" dbname=app user=boss roles=reader format=url
ok auth-guard run --no-isolate --env URL=db/url --env 'WHO=db/app#/username' -- sh -c '
    psql -XAtq "$URL" -c "SELECT session_user" | cut -c1-3; printf %s "$WHO" | cut -c1-3'
has "$OUT" $'ag_\nag_'
within 2 no_roles || fail "roles are left"
say "a reading, a field, an address: one role for each task and secret"

# What a task leaves is the first role's, functions that run as their owner as well: never the maker's; its sessions end.
ok auth-guard mint set --minter postgres --from db/boss db/write host=127.0.0.1 "port=$PGPORT" dbname=app user=boss roles=writer roles=reader
ok auth-guard run --no-isolate --env DB=db/write -- sh -c "\"$TREE/use\" \"\$DB\" 'CREATE TABLE left_over (id int);
        CREATE FUNCTION left_code() RETURNS name LANGUAGE sql SECURITY DEFINER AS \$\$SELECT current_user\$\$'
    setsid \"$TREE/use\" \"\$DB\" 'SELECT pg_sleep(60)' >/dev/null 2>&1 & sleep 0.3"
within 3 no_roles || fail "a role that owns something is left: $(auth-guard mint list)"
[ "$(sql "SELECT tableowner FROM pg_tables WHERE tablename = 'left_over'")" = writer ] || fail "the table was not given on"
[ "$(sql 'SELECT left_code()')" = writer ] || fail "a task's code runs as who makes roles"
[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'ag\_%'")" = 0 ] || fail "a session lives on"
say "what it owned is the first role's, code too; its sessions are ended"

# ---- a copy of the vault makes the same number again, but not the same name ----
newest() { auth-guard audit tail --limit 50 | grep -o '"handle":"[a-z0-9_]*"' | tail -1 | cut -d'"' -f4; }
one() { ok auth-guard run --no-isolate --env DB=db/app -- "$TREE/first" && newest; }
ok auth-guard stop
within 5 broker_gone || fail "the broker stays"
cp -a "$VAULT" "$C/copy"
start_broker
first=$(one)
ok auth-guard stop
within 5 broker_gone || fail "the broker stays"
mv "$VAULT" "$C/away" && mv "$C/copy" "$VAULT"
start_broker
second=$(one)
[[ $first =~ ^ag_[0-9a-f]{8}_[0-9]+_[0-9a-f]{16}$ ]] || fail "no handle: $first"
[ "${first%_*}" = "${second%_*}" ] || fail "another number: $first, $second"
[ "$first" != "$second" ] || fail "the copy took the other's name: $first"
within 2 no_roles || fail "roles are left"
say "a copy of the vault: the same number, another name"

# ---- renewed while the task runs ----
ok auth-guard mint set --minter postgres --ttl 10s --from db/boss db/short host=127.0.0.1 "port=$PGPORT" dbname=app user=boss roles=reader
auth-guard run --no-isolate --env DB=db/short -- sh -c "sleep 12; \"$TREE/use\" \"\$DB\" 'SELECT 1+1'" >"$C/renewed" 2>&1 &
renewed=$!

# ---- 200 at once ----
count=200
mkdir "$C/many"
many() { # tasks that log in with theirs, then wait for the file `go`
    rm -f "$C"/many/*
    python3 "$SRC/tests/e2e/minting_tasks.py" "$SOCKETS" db/app $count "$C/many" >"$C/many.out" 2>&1 &
    many=$!
}
came_in() { cat "$C"/many/in.* 2>/dev/null | grep -c '^ag_'; }
all_in() { [ "$(came_in)" -eq $count ]; }
many
all_done() { all_in || ls "$C"/many/err.* >/dev/null 2>&1; }
within 90 all_done && all_in || fail "only $(came_in) came in: $(cat "$C"/many/err.* "$C/many.out" | sort | uniq -c | head -5)"
[ "$(cat "$C"/many/in.* | sort -u | wc -l)" -eq $count ] || fail "some share a role"
[ "$(roles)" -ge $count ] || fail "only $(roles) roles"
[ "$(auth-guard status --json | jq .counts.minted)" -ge $count ] || fail "status: $(auth-guard status)"
# All are told at once: what counts is from the end of the last. A second is what
# it may take where processors are free; else longer by as much as others do.
before=$(slowed_percent)
touch "$C/many/go"
tasks_gone() { [ "$(auth-guard status --json | jq .counts.tasks)" -le 1 ]; }
within 60 tasks_gone || fail "tasks do not end"
ended=$(date +%s%N)
left() { [ "$(roles)" -le 1 ]; } # the one that is renewed
within 10 left || fail "$(roles) roles are left"
took=$((($(date +%s%N) - ended) / 1000000))
after=$(slowed_percent)
slowed=$((before > after ? before : after))
[ $took -le $((10 * slowed)) ] ||
    fail "the roles were gone only after $took ms, on a machine slowed to $slowed %"
say "$count tasks at once: $count roles, gone $took ms after the last task (limit $((10 * slowed)) ms)"
wait $renewed
has "$(cat "$C/renewed")" 2
within 3 no_roles || fail "the renewed one is left"
say "a role of 10 s worked after 12, renewed"

# ---- the broker is killed in the middle ----
wait $many
many
some_in() { [ "$(roles)" -ge 40 ]; }
within 60 some_in || fail "none came in"
kill_broker
wait $many # each sees its line end
made=$(roles)
[ "$made" -gt 0 ] || fail "nothing was left to be found"
start_broker
started=$(date +%s%N)
within 10 no_roles || fail "$(roles) of $made are left: $(auth-guard mint list | head -5)"
say "killed in the middle: $made roles were left, gone $((($(date +%s%N) - started) / 1000000)) ms after the next start"
within 5 rested || fail "still open: $(auth-guard mint list | head -5)"

# ---- the server is away ----
ok auth-guard run --no-isolate --env DB=db/app -- sh -c "\"$TREE/use\" \"\$DB\""
within 2 no_roles || fail "roles are left"
auth-guard run --no-isolate --env DB=db/app -- sh -c "while [ ! -e '$C/go2' ]; do sleep 0.1; done" >"$C/out2" 2>&1 &
task=$!
one_role() { [ "$(roles)" = 1 ]; }
within 5 one_role || fail "no role: $(cat "$C/out2")"
sql CHECKPOINT # of what was committed without waiting nothing is to be lost
pg_stop immediate
refused 'could not be made|next try' auth-guard run --no-isolate --env DB=db/app -- true
touch "$C/go2"
wait $task
in_vain() { [ "$(auth-guard status --json | jq .counts.revokes_failed)" -ge 1 ]; }
within 10 in_vain || fail "status says nothing: $(auth-guard status)"
ok auth-guard status
has "$OUT" 'tried in vain'
ok auth-guard lock
ok auth-guard unlock
pg_start
within 20 no_roles || fail "never revoked: $(roles) role(s), $(auth-guard mint list)"
within 5 rested || fail "still open"
say "the server was away: refused at once, revoked when it was back"

# A removed rule or secret forgets nothing.
auth-guard run --no-isolate --env DB=db/app -- sh -c "while [ ! -e '$C/go3' ]; do sleep 0.1; done" >"$C/out3" 2>&1 &
task=$!
within 5 one_role || fail "no role: $(cat "$C/out3")"
refused 'not revoked yet' auth-guard rm --yes db/app
ok auth-guard mint remove db/app
touch "$C/go3"
wait $task
within 2 no_roles || fail "forgotten with its rule"
refused 'not in the vault' auth-guard run --no-isolate --env DB=db/app -- true

# No password in the server's log: it saw verifiers.
grep -q 'SCRAM-SHA-256' "$PGLOG" || fail "the log does not show what was asked"
ok auth-guard audit verify
within 3 no_roles
