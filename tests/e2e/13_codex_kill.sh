# P3 on the real Codex CLI: kill -9 of the supervisor, then of the broker, in
# the middle of a run after a refresh. The rotated login is not lost, and the
# next run works.
# needs: codex
. "$SRC/tests/e2e/codex_lib.sh"
vault
login chatgpt --expires 60
echo 'sleep 30' >"$S/calls"
mock --access-ttl 3600
configure chatgpt
ok auth-guard adopt --profile codex "$HOME/.codex/auth.json"

start_and_wait() {
    timeout 90 auth-guard run --no-isolate --profile codex --grade file -- "$CODEX" exec --skip-git-repo-check "wait" \
        >"$S/codex.out" 2>"$S/codex.err" </dev/null &
    RUN=$!
    within 20 grep -q "$1" "$MOCK/refreshes" || fail "no refresh: $(tail -n 5 "$S/codex.err")"
    collect
}
newest() { tail -n 2 "$MOCK/canaries" | grep '^rt_'; }

start_and_wait granted
sleep 0.5
supervisor=$(pgrep -u "$(id -u)" -f 'auth-guard run --no-isolate --profile codex' | tail -n 1)
kill -9 "$supervisor"
wait $RUN
within 1 bash -c '! pgrep -u "$(id -u)" -x codex' || fail "Codex outlived its supervisor"
[ "$(field /tokens/refresh_token)" = "$(newest)" ] || fail "the rotated login is lost"
nothing_outside
say "supervisor killed after a refresh: the login is in the vault"

# Once more with the broker, from a login that must refresh again.
rm -f "$MOCK/refreshes"
ok auth-guard rm --yes codex/default
kill $MOCK_PID
login chatgpt --expires 60
mock --access-ttl 3600
configure chatgpt
ok auth-guard adopt --profile codex "$HOME/.codex/auth.json"
start_and_wait granted
kill_broker
wait $RUN
within 1 bash -c '! pgrep -u "$(id -u)" -x codex' || fail "Codex outlived the broker"
ok auth-guard unlock
[ "$(field /tokens/refresh_token)" = "$(newest)" ] || fail "the rotated login is lost with the broker"
nothing_outside
say "broker killed after a refresh: the login is in the vault"

# And the next run works with it.
kill $MOCK_PID
newest >"$MOCK/refresh"
echo 'echo hello from a tool call' >"$S/calls"
rm -f "$MOCK/refreshes"
mock
configure chatgpt
codex_run after --grade file
nothing_outside
audit_verifies
