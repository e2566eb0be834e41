# P3, P6 on the real Codex CLI with a ChatGPT login at grade proxy: the broker
# alone refreshes. An access token that has ended, a 401 in the middle, four
# processes at once on one ended login, and the broker killed when the service has
# answered the refresh and not yet the request.
# needs: codex
. "$SRC/tests/e2e/codex_lib.sh"
authority
quiet
PROFILE=codex-local
echo 'echo hello from a tool call; cat ~/.codex/auth.json' >"$S/calls"

granted() { grep -c granted "$MOCK/refreshes" 2>/dev/null; }
newest() { grep '^rt_' "$MOCK/canaries" | tail -n 1; }
hash_of() { printf %s "$1" | sha256sum | cut -d' ' -f1; }

# A login of its own for each: the service starts anew, and so does the profile.
begin() { # EXPIRES
    [ -z "${MOCK_PID-}" ] || kill "$MOCK_PID"
    [ ! -e "$VAULT/vault.db" ] || ok auth-guard rm --yes codex/default
    rm -rf "$MOCK" "$HOME"/.codex/{sessions,*.sqlite*}
    login chatgpt --expires "$1"
    OLD_ACCESS=$(jq -r .tokens.access_token "$HOME/.codex/auth.json")
    mock --tls "$C/leaf.pem" "$C/leaf.key" --access-ttl 3600
    local_profile
    [ -e "$VAULT/vault.db" ] || vault
    ok auth-guard stop
    ok auth-guard unlock
    ok auth-guard profiles --trust codex-local
    ok auth-guard adopt --profile codex-local "$HOME/.codex/auth.json"
}
refreshed_once() {
    [ "$(granted)" = 1 ] || fail "not one refresh: $(cat "$MOCK/refreshes")"
    ! grep -q refused "$MOCK/refreshes" || fail "a spent token was used: $(cat "$MOCK/refreshes")"
    [ "$(field /tokens/refresh_token)" = "$(newest)" ] || fail "the rotated login is not in the vault"
    served_with "$(field /tokens/access_token)"
}

say "an access token that has ended"
begin -60
codex_run ended
refreshed_once
! grep -q "$(hash_of "$OLD_ACCESS")" "$MOCK/requests.jsonl" || fail "the ended token was sent"
nothing_outside

say "a 401 in the middle of a run"
begin 3600
hash_of "$OLD_ACCESS" >"$MOCK/revoked"
codex_run refused
refreshed_once
nothing_outside

say "four processes at once on one login that has ended"
begin -60
for i in 1 2 3 4; do
    (codex_run "four-$i") & eval "run_$i=\$!"
done
for i in 1 2 3 4; do
    eval "wait \$run_$i" || fail "process $i of four failed"
done
refreshed_once
nothing_outside

say "the broker killed between the service's answer and the client's"
begin -60
touch "$MOCK/hold"
timeout 90 auth-guard run --no-isolate --profile codex-local -- "$CODEX" exec \
    --skip-git-repo-check "look around" >"$S/codex-killed.out" 2>"$S/codex-killed.err" </dev/null &
run=$!
within 30 grep -q '/responses' "$MOCK/requests.jsonl" || fail "no request: $(tail -n 5 "$S/codex-killed.err")"
kill_broker
wait $run && fail "the run went on without its broker"
rm "$MOCK/hold"
collect
ok auth-guard unlock
refreshed_once
rm -rf "$HOME"/.codex/{sessions,*.sqlite*}
codex_run after
refreshed_once
nothing_outside
audit_verifies
