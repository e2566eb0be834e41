# P5 on the real Codex CLI: while it works its transcripts and databases are followed; when it
# has ended the value is in none of them, and it resumes the session.
# needs: codex
# timeout: 300
. "$SRC/tests/e2e/codex_lib.sh"
vault
VALUE=$(canary sk-live-)
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
printf 'echo hello from a tool call; printf "%%s and %%s" "%s" "$(printf %%s %s | base64 -w0)"\n' "$VALUE" "$VALUE" >"$S/calls"
login apikey
mock
configure apikey
agent() { # WORDS…
    timeout 90 "$CODEX" exec --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox "$@" \
        >"$C/codex.out" 2>"$C/codex.err" </dev/null || fail "codex: $(tail -n 5 "$C/codex.err")"
    grep -q 'all done' "$C/codex.out" || fail "no last message: $(cat "$C/codex.out")"
}
held() { grep -rlaF -e "$VALUE" -e "$(printf %s "$VALUE" | base64 -w0)" "$HOME/.codex" | grep -v -e auth.json; }
told() { grep -q "changed  $HOME/.codex/sessions/.*rollout-" "$C/watch.out" && grep -q "changed  $HOME/.codex/thread_history_1.sqlite: web/key" "$C/watch.out"; }
mkdir -p "$HOME/.codex/sessions"

auth-guard watch transcripts --idle 300ms >"$C/watch.out" 2>"$C/watch.err" &
WATCH=$!
at_end "kill $WATCH 2>/dev/null"
agent "look around"
within 60 told || fail "it was not told of: $(cat "$C/watch.out" "$C/watch.err")"
sleep 2
[ -z "$(held)" ] || fail "still in $(held)"
items=$(sqlite3 "$HOME/.codex/thread_history_1.sqlite" 'SELECT group_concat(item_json) FROM thread_items')
has "$items" '[redacted:web/key]'
[ "$(sqlite3 "$HOME/.codex/thread_history_1.sqlite" 'PRAGMA integrity_check; PRAGMA journal_mode' | xargs)" = 'ok wal' ] || fail "the database"

say "it resumes from what is left"
before=$(find "$HOME/.codex/sessions" -name 'rollout-*.jsonl' | sort)
agent resume --last "once more"
[ "$(find "$HOME/.codex/sessions" -name 'rollout-*.jsonl' | sort)" = "$before" ] || fail "a new session instead"
sleep 5
[ -z "$(held)" ] || fail "once more, still in $(held): $(cat "$C/watch.out")"
jq -es 'length > 3' <"$before" >/dev/null || fail "the rollout is no JSONL"
kill -TERM $WATCH
wait $WATCH || fail "watch: $(cat "$C/watch.err")"
