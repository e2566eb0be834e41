# P2, P5, P9 on the real Codex CLI with an API key, at grade file: two runs in a row; the agent
# looks for the key in its environment, the login file and /proc.
# needs: codex
. "$SRC/tests/e2e/codex_lib.sh"
vault
login apikey
mock
configure apikey
key=$(jq -r .OPENAI_API_KEY "$HOME/.codex/auth.json")
ok auth-guard adopt --profile codex "$HOME/.codex/auth.json"
nothing_outside

codex_run first --grade file
served_with "$key"
nothing_outside
grep -q 'Permission denied' "$MOCK/outputs.jsonl" || fail "the agent was not kept from the login"
codex_run second --grade file
nothing_outside
hasnt "$(cat "$S"/codex-*.out "$S"/codex-*.err "$MOCK/outputs.jsonl")" "$key" "what Codex printed or sent"
[ "$(field /OPENAI_API_KEY)" = "$key" ] || fail "the key in the vault changed"
ok auth-guard exposure codex/default
audit_verifies
