# P6 on the real Codex CLI with a ChatGPT login, at grade proxy: Codex has a login
# file of placeholders; the agent looks for the tokens in every file,
# environment, process and memory it can read, and the service repeats what it
# was sent; with Codex's own sandbox and without. Two at once share the login.
# needs: codex
. "$SRC/tests/e2e/codex_lib.sh"
authority
login chatgpt
cat >>"$S/calls" <<CALLS
python3 $SRC/tests/e2e/memory_dump.py ~/work/memory
u=\$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -oE 'http://127.0.0.1[^"]*/backend-api' | head -n 1); curl -sS -m 10 -H "Authorization: Bearer \$(jq -r .tokens.access_token ~/.codex/auth.json)" "\$u/codex/responses/echo"; true
u=\$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -oE 'http://127.0.0.1[^"]*/backend-api' | head -n 1); for p in wham/tasks ps/mcp conversation codex/mcp codex/echo wham/rate-limit-reset-credits/consume; do curl -sS -m 10 -H "Authorization: Bearer \$(jq -r .tokens.access_token ~/.codex/auth.json)" "\$u/\$p"; done; curl -sS -m 10 -X DELETE -H "Authorization: Bearer \$(jq -r .tokens.access_token ~/.codex/auth.json)" "\$u/codex/responses/echo"; true
curl -sS -m 10 -H "X-Vault-Token: \$AUTH_GUARD_TOKEN" --unix-socket "\$AUTH_GUARD_SOCKET" http://localhost/v1/secrets/codex/default; true
auth-guard get codex/default; true
CALLS
mock --tls "$C/leaf.pem" "$C/leaf.key" --echo
local_profile
quiet
vault
access=$(jq -r .tokens.access_token "$HOME/.codex/auth.json")
refresh=$(jq -r .tokens.refresh_token "$HOME/.codex/auth.json")
ok auth-guard profiles --trust codex-local
ok auth-guard adopt --profile codex-local "$HOME/.codex/auth.json"
PROFILE=codex-local
nothing_outside

for sandbox in workspace-write danger-full-access; do
    say "the agent with Codex's sandbox at $sandbox"
    codex_sandboxed $sandbox
    served_with "$access"
    all=$(cat "$S"/codex-*.out "$S"/codex-*.err "$MOCK/outputs.jsonl")
    hasnt "$all" "$access" "what Codex printed or sent"
    hasnt "$all" "$refresh" "what Codex printed or sent"
    has "$(cat "$S/codex-$sandbox.out")" '[redacted'
    # The file it found is one of placeholders, with the claims clients read.
    has "$(cat "$MOCK/outputs.jsonl")" acct-e2e
    nothing_outside "$HOME/work"
done
has "$(cat "$MOCK/outputs.jsonl")" '[redacted'
has "$(cat "$MOCK/outputs.jsonl")" 'memory of'
# Of its service it reaches what Codex calls, not what else the login could do.
[ "$(grep -o wrong_path "$MOCK/outputs.jsonl" | wc -l)" -ge 7 ] || fail "other paths of the service are reached"
! jq -r .path "$MOCK/requests.jsonl" | grep -E '/(tasks|mcp|conversation|consume)$' || fail "the service was asked for more"
[ ! -e "$MOCK/refreshes" ] || fail "somebody refreshed: $(cat "$MOCK/refreshes")"
[ "$(field /tokens/refresh_token)" = "$refresh" ] || fail "the login in the vault changed"

say "two at once on one login"
kill "$MOCK_PID"
echo 'echo hello from a tool call' >"$S/calls"
MODE=(-s workspace-write)
rm -rf "$HOME"/.codex/{sessions,*.sqlite*}
mock --tls "$C/leaf.pem" "$C/leaf.key"
ok auth-guard rm --yes codex/default
login chatgpt
local_profile
ok auth-guard stop
ok auth-guard unlock
ok auth-guard profiles --trust codex-local
ok auth-guard adopt --profile codex-local "$HOME/.codex/auth.json"
(codex_run one) & first=$!
(codex_run two) & second=$!
wait $first || fail "the first failed"
wait $second || fail "the second failed"
audit_has value.delivered '"grade":"proxy"' codex/default
nothing_outside
audit_verifies
