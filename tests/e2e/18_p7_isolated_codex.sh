# P7 on the real Codex CLI: isolated, its own sandbox works inside, the agent
# finds no login, and a login that Codex refreshes is taken back.
# needs: codex
. "$SRC/tests/e2e/codex_lib.sh"
vault
cat >>"$S/calls" <<'CALLS'
test -e ~/.ssh/id_rsa && echo a key is seen; ls ~/.codex/sessions/old; echo x >written-by-the-agent && echo it wrote
CALLS
login apikey
mock_inside
configure apikey
key=$(jq -r .OPENAI_API_KEY "$HOME/.codex/auth.json")
ok auth-guard adopt --profile codex "$HOME/.codex/auth.json"
apart+=(--grade file --isolate --ro "$(dirname "$(dirname "$CODEX")")")
mkdir -p "$HOME/.ssh" "$HOME/.codex/sessions"
canary >"$HOME/.ssh/id_rsa"
codex_run apikey "${apart[@]}"
served_with "$key"
[ -e "$HOME/work/written-by-the-agent" ] || fail "the agent could not write to the working tree"
hasnt "$(cat "$S"/codex-*.out "$S"/codex-*.err "$MOCK/outputs.jsonl")" "$key" "what Codex printed or sent"
hasnt "$(cat "$MOCK/outputs.jsonl")" "a key is seen" "what the agent found"
[ -z "$(ls -A "$HOME/.codex/sessions")" ] || fail "a session was left in the home"
[ ! -L "$HOME/.codex/auth.json" ] || fail "a link was made in the real home"

# A ChatGPT login that has to be refreshed, and is.
ok auth-guard rm --yes codex/default
login chatgpt --expires 60
configure chatgpt
before=$(jq -r .tokens.access_token "$HOME/.codex/auth.json")
ok auth-guard adopt --profile codex "$HOME/.codex/auth.json"
codex_run chatgpt "${apart[@]}"
after=$(field /tokens/access_token)
[ -n "$after" ] && [ "$after" != "$before" ] || fail "the refreshed login did not reach the vault"
printf '%s\n' "$after" >>"$C/canaries"
rm -f "$HOME/.ssh/id_rsa"
nothing_outside
audit_verifies
