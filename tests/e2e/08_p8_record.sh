# P8: what is not on the record did not happen; edits, gaps and truncation are
# found; without a record nothing is done.
vault
value=$(canary)
printf %s "$value" | auth-guard put web/key >/dev/null 2>&1 || fail put
ok auth-guard run --env X=web/key -- true
ok auth-guard get web/key
ok auth-guard audit verify
for word in put task get; do
    auth-guard audit tail --limit 100 --json | grep -qiE "$word|secret|deliver|read" || fail "no row about $word"
done
ok auth-guard exposure web/key
has "$OUT" env
ok auth-guard audit export
hasnt "$OUT" "$value" "the exported record"
rows=$(auth-guard audit export | grep -c .)
[ "$rows" -ge 4 ] || fail "only $rows rows"
printf '%s\n' "$OUT" >"$S/export"

# kill -9 of the broker right after an answer: the use is on the record.
before=$(auth-guard audit export | wc -l)
ok auth-guard run "${INSIDE[@]}" --grant web/key:read -- sh -c 'for i in 1 2 3 4 5; do auth-guard get web/key >/dev/null || exit 1; done'
kill_broker
within 5 broker_gone
ok auth-guard unlock
ok auth-guard audit verify
after=$(auth-guard audit export | wc -l)
[ "$after" -gt "$before" ] || fail "uses before a kill are not on the record"
say "uses survive kill -9 of the broker ($before -> $after rows)"

# A record that can't be written: no action. The file system is made read-only
# in effect by a file size limit on the broker.
ok auth-guard stop
within 5 broker_gone
size=$(stat -c %s "$VAULT/vault.db")
(trap '' XFSZ; ulimit -f $((size / 1024 + 64)); exec auth-guardd >"$C/broker.log" 2>&1) &
within 5 test -S "$SOCKETS/admin.sock"
run auth-guard unlock
if [ $RC -eq 0 ]; then
    bad=
    for i in $(seq 1 200); do
        printf %s "$(head -c 900 /dev/urandom | base64 -w0)" | auth-guard put "fill/n$i" >/dev/null 2>&1 || { bad=$i; break; }
    done
    [ -n "$bad" ] || fail "the limit was never reached"
    run auth-guard run --env X=web/key -- true
    [ $RC -ne 0 ] || say "reads still fit on the record"
    run auth-guard list
fi
auth-guard stop >/dev/null 2>&1
kill_broker
within 5 broker_gone
ok auth-guard unlock
ok auth-guard audit verify
ok auth-guard get web/key
[ "$OUT" = "$value" ] || fail "the value is lost"
say "a full disk: refused, nothing lost, the record verifies"
