# P2: a daemon's file is rendered whole or not at all, private, and follows the
# vault: after a rotation it is replaced at once and the daemon is told. What
# can't be had writes nothing.
export LD_PRELOAD=$BIN/e2e_quick.so # the broker's key derivation alone
vault
unset LD_PRELOAD
value=$(canary)
other=$(canary)
printf %s "$value" | auth-guard put db/password >/dev/null 2>&1 || fail put
printf '{"user":"app","keys":["%s"]}' "$other" | auth-guard put --kind login web/api >/dev/null 2>&1 || fail put
conf=$TREE/app.conf
cat >"$TREE/app.tmpl" <<'TEMPLATE'
# a literal {{"{{"}} stays
password = {{ ag://db/password }}
key={{ag://web/api#/keys/0}};
TEMPLATE
want() { printf '# a literal {{ stays\npassword = %s\nkey=%s;\n' "$1" "$other"; }
is_now() { cmp -s "$conf" <(want "$1"); }
left() { find "$TREE" -name '.app.conf.ag-render-*' | grep -c .; }

# ---- once, by the operator ----
ok auth-guard render "$TREE/app.tmpl" "$conf"
is_now "$value" || fail "rendered: $(cat "$conf")"
[ "$(stat -c %a "$conf")" = 600 ] || fail "mode $(stat -c %a "$conf")"
hasnt "$OUT$ERR" "$value" "what render says"
audit_has value.delivered app.conf
ok auth-guard exposure db/password --json
has "$OUT" '"file"'
# An old file's mode stays; the same content is not written again, no command runs.
chmod 640 "$conf"
printf 'old\n' >"$conf"
ok auth-guard render "$TREE/app.tmpl" "$conf" -- touch "$TREE/ran"
[ "$(stat -c %a "$conf")" = 640 ] && [ -e "$TREE/ran" ] || fail "mode $(stat -c %a "$conf") or no command"
before=$(stat -c %i "$conf")
rm "$TREE/ran"
ok auth-guard render "$TREE/app.tmpl" "$conf" -- touch "$TREE/ran"
[ "$(stat -c %i "$conf")" = "$before" ] && [ ! -e "$TREE/ran" ] || fail "the same content is written again"
printf 'old\n' >"$conf"
run auth-guard render "$TREE/app.tmpl" "$conf" -- sh -c 'test -z "$AUTH_GUARD_PASSPHRASE_FILE$AUTH_GUARD_TOKEN" && exit 7'
[ $RC -eq 7 ] || fail "the command's exit code, without what opens the vault: $RC $ERR"
say "written whole, private; mode kept; a command after a change alone"

# ---- nothing is written ----
printf 'as it was\n' >"$conf"
refuses() { # CODE TEMPLATE: and the file stays
    printf %s "$2" >"$TREE/bad.tmpl"
    refused "$1" auth-guard render "$TREE/bad.tmpl" "$conf"
    [ "$(cat "$conf")" = 'as it was' ] || fail "$2: was written: $(cat "$conf")"
    [ "$(left)" = 0 ] || fail "$2: a piece is left"
}
refuses 'not in the vault' 'a={{ ag://db/password }} b={{ ag://db/nothing }}'
refuses 'line 2' $'a={{ ag://db/password }}\nb={{ password }}'
refuses 'line 1' 'a={{ ag://db/password'
refuses 'field|no value' '{{ ag://web/api#/nothing }}'
printf %s "$(canary)" | auth-guard put --min-grade proxy only/proxy >/dev/null 2>&1 || fail put
refuses 'allows proxy' '{{ ag://db/password }} {{ ag://only/proxy }}'
printf %s "$(canary)" | auth-guard put db/held >/dev/null 2>&1 || fail put
ok auth-guard rotate rule set --on-leak hold db/held
ok auth-guard leaked db/held
refuses 'on hold' '{{ ag://db/password }} {{ ag://db/held }}'
ok auth-guard mint set --minter postgres --from db/password db/minted host=127.0.0.1 dbname=app user=boss roles=reader sslmode=disable
refuses 'minted for each task' '{{ ag://db/password }} {{ ag://db/minted }}'
ln -s "$conf" "$TREE/link"
refused 'is a link' auth-guard render "$TREE/app.tmpl" "$TREE/link"
refused 'directory' auth-guard render "$TREE/app.tmpl" "$TREE/nowhere/conf"
refused operator neighbour auth-guard render "$TREE/app.tmpl" "$conf"
run auth-guard run --no-isolate -- auth-guard render "$TREE/app.tmpl" "$conf"
[ $RC -ne 0 ] || fail "a task renders"
[ "$(cat "$conf")" = 'as it was' ] || fail "was written: $(cat "$conf")"
# What a kill left beside it has values in it: it goes with the next.
sh -c 'exit 0' & gone=$!; wait $gone
printf %s "$value" >"$TREE/.app.conf.ag-render-$gone"
ok auth-guard render "$TREE/app.tmpl" "$conf"
[ "$(left)" = 0 ] || fail "what a kill left is still there"
say "an unknown name or field, a grade, a link, a neighbour, a task: nothing is written"

# ---- watched, by a service ----
refused 'role create' auth-guard render --watch "$TREE/app.tmpl" "$conf"
ok auth-guard role create renderer runner
token=$OUT
printf '%s\n' "$token" >>"$C/canaries"
ok auth-guard role create looker auditor
looker=$OUT
printf '%s\n' "$looker" >>"$C/canaries"
refused 'may not do that' neighbour env AUTH_GUARD_TOKEN="$looker" auth-guard render "$TREE/app.tmpl" "$conf"
neighbour env AUTH_GUARD_TOKEN="$token" auth-guard render --watch --every 100ms \
    "$TREE/app.tmpl" "$conf" -- sh -c 'cp "$0" "$0.told"; chmod 600 "$0.told"; echo told >>"$0.log"' "$conf" >"$C/watch.out" 2>&1 &
watcher=$!
at_end "kill $watcher"
told() { cmp -s "$conf.told" <(want "$1"); }
ok auth-guard rotate rule set --every 30d --length 30 db/password
for round in 1 2 3; do
    ok auth-guard rotate db/password
    value=$(auth-guard get db/password 2>/dev/null)
    printf '%s\n' "$value" >>"$C/canaries"
    within 5 is_now "$value" || fail "round $round: the file does not follow: $(cat "$C/watch.out")"
    within 5 told "$value" || fail "round $round: the daemon was not told"
done
sleep 0.5
[ "$(wc -l <"$conf.log")" = 3 ] || fail "told $(wc -l <"$conf.log") times"
rows=$(auth-guard audit tail --limit 200 --json | grep -oF 'value.delivered' | wc -l)
sleep 0.5
[ "$(auth-guard audit tail --limit 200 --json | grep -oF 'value.delivered' | wc -l)" = "$rows" ] || fail "a look is a delivery"
# A locked vault, a dead broker: the file stays, and it goes on afterwards.
kill_broker
within 5 broker_gone || fail "the broker lives"
ok env LD_PRELOAD="$BIN/e2e_quick.so" auth-guard unlock
printf %s "$(canary)" | auth-guard put db/password >/dev/null 2>&1 || fail put
value=$(auth-guard get db/password 2>/dev/null)
within 20 is_now "$value" || fail "after a killed broker: $(cat "$C/watch.out")"
kill -0 $watcher || fail "the watcher ended: $(cat "$C/watch.out")"
# The role is gone: it ends, the file stays.
ok auth-guard role remove renderer
ended() { ! kill -0 $watcher 2>/dev/null; }
within 20 ended || fail "it watches without a right"
is_now "$value" || fail "the file went with it"
grep -q token_revoked "$C/watch.out" || grep -qi revoked "$C/watch.out" || fail "it says nothing: $(cat "$C/watch.out")"
grep -qF -f "$C/canaries" "$C/watch.out" && fail "a value in what it says"
say "follows rotations, tells the daemon once each, survives a killed broker, ends with its role"
audit_verifies
rm -f "$conf" "$conf.told"
no_leak
