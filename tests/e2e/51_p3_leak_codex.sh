# P3, P5 on the real Codex CLI: the agent prints the login's key in base64; it is
# redacted, an incident is opened, the key rotated at the service, the old one
# dead there within 5 s; the ledger names the task, the next one gets the new key.
# needs: codex
. "$SRC/tests/e2e/codex_lib.sh"
vault
login apikey
cat >"$S/calls" <<'CALLS'
echo hello from a tool call
jq -rj .OPENAI_API_KEY ~/.codex/auth.json | base64 -w0; echo
CALLS
mock
configure apikey
old=$(jq -r .OPENAI_API_KEY "$HOME/.codex/auth.json")
ok auth-guard adopt --profile codex "$HOME/.codex/auth.json"

# ---- the service's side: a new key is any; an old one is named as revoked ----
cat >"$C/rotator" <<END
#!/bin/bash
mock=$MOCK url=http://127.0.0.1:$PORT
END
cat >>"$C/rotator" <<'END'
read -r told
IFS= read -r -d '' old <&3
IFS= read -r -d '' new <&4
key() { jq -rj .OPENAI_API_KEY <<<"$1"; }
case $1 in
prepare)
    made=sk-proj-$(head -c 96 /dev/urandom | base64 -w0 | tr '+/' '_-')
    printf '%s\n' "$made" >>"$mock/canaries"
    jq --arg key "$made" '.OPENAI_API_KEY = $key' <<<"$old" >&5 ;;
verify)
    [ "$(curl -s -o /dev/null -w '%{http_code}' -H @- "$url/v1/models" <<<"Authorization: Bearer $(key "$new")")" = 200 ] ||
        { printf '{"outcome":"refused","code":"not_known"}'; exit 0; } ;;
retire)
    key "$old" | sha256sum | cut -d' ' -f1 >>"$mock/revoked" ;;
esac
printf '{"outcome":"done"}'
END
chmod 755 "$C/rotator"
ok auth-guard rotate program add --limit 10s openai "$C/rotator"
ok auth-guard rotate rule set --every 30d --grace 1d --rotator command --program openai --on-leak rotate codex/default

says() { # KEY: what the service answers
    curl -s -o /dev/null -w '%{http_code}' -H @- --data '{"input":[]}' "http://127.0.0.1:$PORT/v1/responses" <<<"Authorization: Bearer $1"
}
dead() { [ "$(says "$old")" = 401 ]; }
[ "$(says "$old")" = 200 ] || fail "the service does not know the key"

# The key may die under the agent that spilled it: how it ends is its own matter.
timeout 90 auth-guard run --profile codex --grade file --no-isolate -- "$CODEX" exec \
    --skip-git-repo-check -s danger-full-access "look around" >"$S/codex-leak.out" 2>"$S/codex-leak.err" </dev/null &
agent=$!
leaked() { auth-guard incident list --json | jq -e '.incidents | length > 0'; }
within 60 leaked || fail "no incident: $(tail -n 30 "$S"/codex-leak.*) $(cat "$MOCK/outputs.jsonl")"
begun=$(date +%s%N)
within 30 dead || fail "the old key works: $(auth-guard incident list --json) $(auth-guard rotate log --json)"
took=$((($(date +%s%N) - begun) / 1000000))
[ $took -lt 5000 ] || fail "the old key was dead only after $took ms"
say "the old key was dead at the service $took ms after the incident was seen"
wait $agent
collect
# The agent's own history has what its commands saw: that is for `redact`.
rm -rf "$HOME"/.codex/{sessions,*.sqlite*}
has "$(cat "$S"/codex-leak.*)" '[redacted'
hasnt "$(cat "$S"/codex-leak.*)" "$(printf %s "$old" | base64 -w0)"

ok auth-guard incident list --json
[ "$(jq '.incidents | length' <<<"$OUT")" -eq 1 ] || fail "incidents: $OUT"
within 10 sh -c "auth-guard incident list --json | jq -e '.incidents[0].answer == \"done\"'" || fail "answer: $OUT"
id=$(jq -r '.incidents[0].incident' <<<"$OUT") task=$(jq -r '.incidents[0].task' <<<"$OUT")
ok auth-guard incident show "$id" --json
[ "$(jq -r '.seen_at[0] | "\(.where) \(.what) \(.sure)"' <<<"$OUT")" = 'output base64 true' ] || fail "where: $OUT"
jq -e ".readers | map(select(.task == \"$task\" and .grade == \"file\")) | length == 1" <<<"$OUT" >/dev/null || fail "readers: $OUT"
jq -e '.reach | index("api.openai.com")' <<<"$OUT" >/dev/null || fail "reach: $OUT"
ok auth-guard exposure codex/default --json
jq -e ".exposure | map(select(.task == \"$task\" and .version == 1 and .grade == \"file\")) | length == 1" <<<"$OUT" >/dev/null || fail "exposure: $OUT"
ok auth-guard exposure --task "$task"
has "$OUT" codex/default

new=$(field /OPENAI_API_KEY)
[ "$new" != "$old" ] || fail "the vault has the old key"
printf 'echo hello from a tool call\n' >"$S/calls"
kill $MOCK_PID
sleep 0.2
rm -f "$MOCK/outputs.jsonl"
mock --port "$PORT"
codex_run next --grade file
served_with "$new"
audit_has incident.opened codex/default
audit_has incident.answered done
audit_verifies
nothing_outside
