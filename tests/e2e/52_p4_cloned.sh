# P4: a token that is renewed has a new text, and the one before is a copy from
# the moment the new one is used: refused with its own code, on the record, and
# all that hangs from the token ends. An answer that gets lost costs nothing.
export LD_PRELOAD=$BIN/e2e_quick.so # the broker's key derivation alone
vault
unset LD_PRELOAD
value=$(canary)
printf %s "$value" | auth-guard put web/key >/dev/null 2>&1 || fail put

# ---- a service's ----
ok auth-guard role create nightly auditor
first=$OUT
printf '%s\n' "$first" >>"$C/canaries"
as() { neighbour env AUTH_GUARD_TOKEN="$1" auth-guard "${@:2}"; } # TOKEN VERB…
renewed() { # TOKEN: the new one in $NEW
    ok as "$1" token renew
    NEW=$OUT
    [[ $NEW =~ ^agt_[A-Za-z0-9]{49}$ ]] || fail "not the shape of a token"
    printf '%s\n' "$NEW" >>"$C/canaries"
}
stays_dead() {
    within 5 broker_gone || fail "the broker is still there"
    ok env LD_PRELOAD="$BIN/e2e_quick.so" auth-guard unlock
}
ok as "$first" audit tail
renewed "$first"
lost=$NEW
# The answer was lost, and the broker is killed: what was asked for is renewed.
refused token_renewed as "$first" audit tail --json
kill_broker
stays_dead
renewed "$first"
second=$NEW
ok as "$second" audit tail
say "an answer that was lost: renewed again, over a killed broker too"
renewed "$second"
third=$NEW
ok as "$third" audit tail
ok as "$third" token show --json
[ "$(jq -r .generation <<<"$OUT")" = 4 ] || fail "not the fourth generation: $OUT"
kill_broker
stays_dead
ok as "$third" audit tail
audit_has token.renewed
audit_has token.in_use
# Who has the text of before, or the answer that never arrived, has a copy.
case $((RANDOM % 3)) in
0) copy=$first ;;
1) copy=$second ;;
*) copy=$lost ;;
esac
refused token_cloned as "$copy" audit tail --json
audit_has token.cloned
refused token_revoked as "$third" audit tail --json
ok auth-guard role list
hasnt "$OUT" nightly "the roles"
kill_broker
stays_dead
refused 'token_(revoked|unknown)' as "$third" audit tail --json
refused token_revoked as "$first" audit tail --json
say "a service's copy: token_cloned, on the record, the role is gone for good"

# ---- a task's ----
inside() { # SCRIPT: runs in a task with a read grant
    run auth-guard run "${INSIDE[@]}" --grant web/key:read -- sh -c "$1"
}
inside 'T=$(auth-guard token renew) || exit 9
    AUTH_GUARD_TOKEN=$T auth-guard get web/key >/dev/null || exit 8
    AUTH_GUARD_TOKEN=$T auth-guard token renew 2>/dev/null'
[ $RC -eq 0 ] || fail "a task renews: $RC $OUT $ERR"
[ "$OUT" = '[redacted:auth-guard/token]' ] || fail "a renewed token is printed: $OUT"
inside 'T=$(auth-guard token renew) || exit 9
    C=$(AUTH_GUARD_TOKEN=$T auth-guard token create) || exit 8
    auth-guard get web/key --json; sleep 5; echo went on'
[ $RC -ne 0 ] || fail "a task with a copy of its token ends well: $OUT $ERR"
has "$OUT$ERR" token_cloned
hasnt "$OUT" 'went on' 'the output of the task that was ended'
ok auth-guard token list --json
[ "$(jq '.tokens | length' <<<"$OUT")" = 0 ] || fail "tokens of the task live: $OUT"
[ "$(auth-guard audit tail --limit 200 --json | grep -oF '"token.cloned"' | wc -l)" = 2 ] ||
    fail "the record has not both copies"
say "a task's copy: token_cloned, and the task's tokens and processes end"
audit_verifies
no_leak
