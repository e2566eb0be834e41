# P6 on the real Codex CLI with an API key, at grade proxy: the agent looks for
# the key in every file, environment, process and memory it can read, asks the
# proxy and the API for it, and the service repeats what it was sent; with
# Codex's own sandbox and without.
# needs: codex
. "$SRC/tests/e2e/codex_lib.sh"
authority
login apikey
cat >>"$S/calls" <<CALLS
grep -rhoE 'sk-[A-Za-z0-9_-]{40,}' ~ /tmp /run 2>/dev/null | sort -u | head -n 20; true
tr '\0' '\n' </proc/\$PPID/cmdline; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -o 'http[^"]*'; true
python3 $SRC/tests/e2e/memory_dump.py ~/work/memory
u=\$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -oE 'http://127.0.0.1[^"]*/v1' | head -n 1); curl -sS -m 10 -H "Authorization: Bearer \$AUTH_GUARD_CODEX_KEY" "\$u/echo"; true
curl -sS -m 10 -H "X-Vault-Token: \$AUTH_GUARD_TOKEN" --unix-socket "\$AUTH_GUARD_SOCKET" http://localhost/v1/secrets/codex/default; true
auth-guard get codex/default; auth-guard list; auth-guard token create --grant codex/default:read; true
CALLS
mock --tls "$C/leaf.pem" "$C/leaf.key" --echo
local_profile
quiet
vault
key=$(jq -r .OPENAI_API_KEY "$HOME/.codex/auth.json")
ok auth-guard profiles --trust codex-local
ok auth-guard adopt --profile codex-local "$HOME/.codex/auth.json"
PROFILE=codex-local
nothing_outside

for sandbox in workspace-write danger-full-access; do
    say "the agent with Codex's sandbox at $sandbox"
    codex_sandboxed $sandbox
    served_with "$key"
    [ ! -e "$HOME/.codex/auth.json" ] || fail "there is a login file"
    hasnt "$(cat "$S"/codex-*.out "$S"/codex-*.err "$MOCK/outputs.jsonl")" "$key" "what Codex printed or sent"
    has "$(cat "$S/codex-$sandbox.out")" '[redacted'
    nothing_outside "$HOME/work"
done
has "$(cat "$MOCK/outputs.jsonl")" '[redacted'
has "$(cat "$MOCK/outputs.jsonl")" 'memory of'
[ -n "$(find "$HOME/work/memory" -size +1M)" ] || fail "no memory was read"
audit_has value.delivered '"grade":"proxy"' codex/default
has "$(auth-guard exposure codex/default)" proxy
hasnt "$(auth-guard exposure codex/default)" file "the ledger"
[ "$(field /OPENAI_API_KEY)" = "$key" ] || fail "the key in the vault changed"
audit_verifies
