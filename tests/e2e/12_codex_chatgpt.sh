# P3, P5 on the real Codex CLI, at grade file, with a ChatGPT login that must refresh at once:
# the rotated login is in the vault, durably; two runs in a row.
# needs: codex
. "$SRC/tests/e2e/codex_lib.sh"
vault
login chatgpt --expires 60
mock
configure chatgpt
old=$(jq -r .tokens.refresh_token "$HOME/.codex/auth.json")
ok auth-guard adopt --profile codex "$HOME/.codex/auth.json"
nothing_outside

codex_run first --grade file
[ "$(cat "$MOCK/refreshes")" = granted ] || fail "refreshes: $(cat "$MOCK/refreshes")"
new=$(field /tokens/refresh_token)
[ "$new" != "$old" ] && grep -qxF -- "$new" "$MOCK/canaries" || fail "the rotated login is not in the vault"
served_with "$(field /tokens/access_token)"
nothing_outside
codex_run second --grade file
[ "$(grep -c . "$MOCK/refreshes")" = 1 ] || fail "the second run refreshed again"
[ "$(field /tokens/refresh_token)" = "$new" ] || fail "the login changed without a refresh"
nothing_outside
ok auth-guard versions codex/default
audit_verifies

# One holder at a time.
cp "$S/calls" "$S/calls.was"
auth-guard run --no-isolate --profile codex --grade file -- sleep 20 >/dev/null 2>&1 &
holder=$!
within 5 test -L "$HOME/.codex/auth.json"
refused 'held|holds' timeout 60 auth-guard run --profile codex --grade file -- true
kill $holder
wait $holder
within 2 test ! -L "$HOME/.codex/auth.json" || fail "the link is left"
ok auth-guard run --profile codex --grade file -- true
nothing_outside
