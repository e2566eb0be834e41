# P6: a placeholder that turns up on the disk, or in text that another task shows
# `redact`, is a tripwire; only the operator is told.
. "$SRC/tests/e2e/lib.sh"

vault
VALUE=$(canary sk-proj-)
printf %s "$VALUE" | auth-guard put api/key --min-grade proxy >"$C/out" 2>&1 || fail put
P="secret=ag://api/key,upstream=https://api.example.org,key-env=API_KEY,url-env=API_URL"
mkdir "$HOME/tree"
tree() { # what lies on the disk
    printf 'API_KEY=%s\nOTHER=%s\n' "$1" "$(canary sk-)" >"$HOME/tree/.env"
}
scan() {
    run auth-guard scan --json "$HOME/tree"
    [ $RC -eq 1 ] || fail "scan: exit $RC $ERR"
}
tripwires() { # CODE WHERE OWNER TASK: how many there are of these
    auth-guard audit tail --limit 500 --json | jq --arg code "$1" --arg found "$2" \
        --argjson owner "$3" --argjson task "$4" '[.rows[] | select(.kind == "redact.tripwire" and
            .task == $task and .body.code == $code and .body.found == $found and
            .body.owner == $owner)] | length'
}
once() { # the same: there is exactly one
    [ "$(tripwires "$@")" -eq 1 ] || fail "not one tripwire $*: $(auth-guard audit tail)"
}
start() { # a task that runs, and shows its placeholder; its number in $TASK
    rm -f "$HOME/work/shown"
    auth-guard run --name "$1" --proxy "$P" -- \
        sh -c 'printf %s "$API_KEY" >"$0"; sleep 120' "$HOME/work/shown" >/dev/null 2>&1 &
    RUN=$!
    CLEANUP+=("kill $RUN")
    within 10 test -s "$HOME/work/shown" || fail "no placeholder"
    TASK=$(auth-guard task list --json | jq --arg n "$1" '[.tasks[] | select(.name == $n)][0].id | tonumber')
}

say "a value is none, and nothing is recorded"
tree "$VALUE"
scan
[ "$(jq -c '[.findings[].placeholders[]]' <<<"$OUT")" = '[]' ] || fail "$OUT"
hasnt "$(auth-guard audit tail --json)" redact.tripwire "the record"

say "of a task that has ended: recorded, and told"
ok auth-guard run --name past --proxy "$P" -- sh -c 'printf %s "$API_KEY" >"$0"' "$HOME/work/shown"
PAST=$(cat "$HOME/work/shown")
PASTID=$(auth-guard task list --json | jq '[.tasks[] | select(.name == "past")][0].id | tonumber')
tree "$PAST"
scan
[ "$(jq -c '[.findings[].placeholders[]]' <<<"$OUT")" = "[{\"task\":$PASTID,\"running\":false}]" ] ||
    fail "scan: $OUT"
hasnt "$OUT" "$PAST" "what scan said"
once ended_placeholder disk "$PASTID" 0
run auth-guard scan "$HOME/tree"
has "$OUT" "a placeholder of task $PASTID, which has ended"

say "of one that runs: it is ended"
start live
tree "$(cat "$HOME/work/shown")"
scan
[ "$(jq -c '[.findings[].placeholders[]]' <<<"$OUT")" = "[{\"task\":$TASK,\"running\":true}]" ] ||
    fail "scan: $OUT"
wait $RUN && fail "the task went on"
has "$(auth-guard task show "$TASK" --json)" alarm
once foreign_placeholder disk "$TASK" 0

say "in text that another task shows redact: the one it is of is ended, the other not told"
start shown
cat >"$HOME/work/ask.sh" <<'T'
ask() { # TEXT
    curl -sS -m 20 --unix-socket "$AUTH_GUARD_SOCKET" -H "Authorization: Bearer $AUTH_GUARD_TOKEN" \
        -H "Content-Type: application/json" --data-binary "{\"text\":\"$1\"}" "http://localhost$2"
    echo
}
ask "x $API_KEY y" /v1/redact
ask "x $(cat "$1") y" /v1/redact
ask "x" /v1/placeholders
T
ok auth-guard run --proxy "$P" -- sh "$HOME/work/ask.sh" "$HOME/work/shown"
has "$(sed -n 1p <<<"$OUT")" '"hits":0'
has "$(sed -n 2p <<<"$OUT")" "\"text\":\"x $(cat "$HOME/work/shown") y\",\"hits\":0,\"counts\":{}"
has "$(sed -n 3p <<<"$OUT")" '"code":'
hasnt "$(sed -n 3p <<<"$OUT")" '"placeholders"' "an answer to a task"
wait $RUN && fail "the task it is of went on"
once foreign_placeholder redact "$TASK" $((TASK + 1))
[ "$(auth-guard audit tail --limit 500 --json | grep -o redact.tripwire | wc -l)" -eq 4 ] ||
    fail "too many: $(auth-guard audit tail)"

say "the operator's own redact ends nobody"
start own
api admin POST /v1/redact "{\"text\":\"$(cat "$HOME/work/shown")\"}"
[ "$STATUS" = 200 ] || fail "$STATUS $OUT"
api admin POST /v1/redact "{\"text\":\"$PAST\"}"
has "$OUT" "$PAST"
once ended_placeholder redact "$PASTID" 0
[ "$(auth-guard task show "$TASK" --json | jq .running)" = true ] || fail "the task is ended"
ok auth-guard task end "$TASK"

say "without a broker scan says what it could not say"
ok auth-guard lock
run auth-guard scan "$HOME/tree"
[ $RC -eq 1 ] || fail "scan of a locked vault: exit $RC"
has "$ERR" 'would be known by the broker'
ok auth-guard unlock
audit_verifies
rm -r "$HOME/tree" # plain text of our own
no_leak
