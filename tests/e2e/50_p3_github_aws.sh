# P3: AWS access keys rotated at a service that checks who asks as AWS does. It
# refuses, fails before and after the effect, answers garbage, half or nothing,
# hangs; the broker is killed: a key that works is there, and no other is left.
# long: yes
. "$SRC/tests/e2e/provider_lib.sh"

# ---- aws-access-key ----
begin() { # a fresh user with one key, known to the vault
    rm -f "$P/mode"
    control reset >"$P/key"
    jq -r .SecretAccessKey "$P/key" >>"$C/canaries"
    auth-guard put aws/ci <"$P/key" >/dev/null 2>&1 || fail "put: $(cat "$P/key")"
}
current() { auth-guard get aws/ci 2>/dev/null; }
state() { auth-guard rotate log aws/ci --json | jq -r '.rotations[0].state'; }
key_count() { control state | jq '.keys | length'; }
note_keys() { control state | jq -r '.keys[].secret' >>"$C/canaries"; }
works() { # VALUE: is it one of the service's?
    local id
    id=$(jq -r .AccessKeyId <<<"$1")
    [ "$(control state | jq -r --arg id "$id" '.keys[$id] | select(.status == "Active") | .secret')" = \
        "$(jq -r .SecretAccessKey <<<"$1")" ]
}
settled() {
    local now i
    note_keys
    now=$(current)
    works "$now" || fail "$what: the current key does not work at once: $(state) $(control state)"
    for i in 1 2 3 4 5; do
        run auth-guard rotate aws/ci
        [ "$(state)" != done ] || break
    done
    note_keys
    [ "$(state)" = done ] || fail "$what: ends $(state): $(auth-guard rotate log aws/ci --json)"
    works "$(current)" || fail "$what: no key works"
    [ "$(key_count)" -eq 1 ] || fail "$what: $(key_count) keys are left"
}

begin
rule=(auth-guard rotate rule set --every 30d --rotator aws-access-key --endpoint "$URL")
refused 'takes region' auth-guard rotate rule set --every 30d --rotator aws-access-key --length 20 aws/ci
refused 'takes length' auth-guard rotate rule set --every 30d --region eu-central-1 aws/ci
refused 'region: like' auth-guard rotate rule set --every 30d --rotator aws-access-key --region 'Europe 1' aws/ci
for bad in http://example.org http://127.0.0.1.example.org ftp://127.0.0.1 https://a@b 'https://h/?q=1' https://h//x; do
    refused 'endpoint is' auth-guard rotate rule set --every 30d --rotator aws-access-key --endpoint "$bad" aws/ci
done
ok "${rule[@]}" aws/ci
before=$(current)
ok auth-guard rotate aws/ci
note_keys
[ "$(xargs <"$P/calls")" = 'ListAccessKeys 0 CreateAccessKey 0 GetCallerIdentity 0 UpdateAccessKey 0 DeleteAccessKey 0' ] ||
    fail "calls: $(cat "$P/calls")"
[ "$(current)" != "$before" ] && works "$(current)" || fail "the new key does not work"
[ "$(key_count)" -eq 1 ] || fail "the old key is there still"
audit_has rotation.ended done
say "aws-access-key: listed, created, verified, switched off, deleted; signatures hold"

# A file as the AWS CLI has it, with what else is in it.
id=$(jq -r .AccessKeyId <<<"$(current)")
printf '# mine\n[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other\n[work]\naws_access_key_id = %s\naws_secret_access_key = %s\nregion = eu-west-1\n' \
    "$id" "$(jq -r .SecretAccessKey <<<"$(current)")" | auth-guard put aws/file >/dev/null 2>&1 || fail put
ok "${rule[@]}" --section work aws/file
ok auth-guard rotate aws/file
note_keys
new=$(control state | jq -r '.keys | keys[0]')
[ "$new" != "$id" ] || fail "not rotated"
[ "$(auth-guard get aws/file 2>/dev/null)" = "# mine
[other]
aws_access_key_id = AKIAOTHER
aws_secret_access_key = other
[work]
aws_access_key_id = $new
aws_secret_access_key = $(control state | jq -r '.keys[].secret')
region = eu-west-1" ] || fail "the file: $(auth-guard get aws/file 2>/dev/null)"
say "a file of credentials keeps all else"

# Two keys: nothing is made, and the other one stays.
begin
ok "${rule[@]}" aws/ci
other=$(control second | jq -r .AccessKeyId)
run auth-guard rotate aws/ci
[ $RC -eq 3 ] || fail "two keys: exit $RC $OUT $ERR"
auth-guard rotate log aws/ci --json | jq -e '.rotations[0] | .state == "undone"' >/dev/null || fail "two keys: $(auth-guard rotate log aws/ci --json)"
audit_has rotation.step two_keys
[ "$(key_count)" -eq 2 ] && control state | jq -e --arg id "$other" '.keys[$id]' >/dev/null || fail "a key of somebody's was deleted"
say "a user with two keys: refused, both stay"

# A new key is not known everywhere at once.
begin
printf 'GetCallerIdentity unknown_3\n' >"$P/mode"
ok auth-guard rotate aws/ci
what='a key that is known late'
settled
say "a key that STS knows late is waited for"

for point in \
    'CreateAccessKey throttled' 'CreateAccessKey drop_after' 'CreateAccessKey error_after' \
    'CreateAccessKey garbage' 'CreateAccessKey cut' 'CreateAccessKey flood' 'CreateAccessKey hang' \
    'CreateAccessKey kill_before' 'CreateAccessKey kill_after' \
    'GetCallerIdentity refused' 'GetCallerIdentity busy' 'GetCallerIdentity drop_after' \
    'GetCallerIdentity garbage' 'GetCallerIdentity kill_before' 'GetCallerIdentity kill_after' \
    'UpdateAccessKey refused' 'UpdateAccessKey error_before' 'UpdateAccessKey drop_after' 'UpdateAccessKey kill_after' \
    'DeleteAccessKey refused' 'DeleteAccessKey throttled' 'DeleteAccessKey error_before' 'DeleteAccessKey drop_after' \
    'DeleteAccessKey garbage' 'DeleteAccessKey kill_before' 'DeleteAccessKey kill_after'; do
    what="aws-access-key, $point"
    begin
    printf '%s\n' "$point" >"$P/mode"
    run timeout 40 auth-guard rotate aws/ci
    [ ! -e "$P/mode" ] || fail "$what: the fault was not taken"
    case $point in
    *kill_*) ;;
    *) [ $RC -eq 0 ] || [ $RC -eq 3 ] || fail "$what: exit $RC $OUT $ERR" ;;
    esac
    point ${point}
    settled
done
# What a fault in the undo leaves.
for fault in refused drop_before drop_after kill_before kill_after; do
    what="aws-access-key, undo: $fault"
    begin
    printf 'GetCallerIdentity refused\n' >"$P/mode"
    printf 'DeleteAccessKey %s\n' $fault >"$P/mode.next"
    run timeout 40 auth-guard rotate aws/ci
    [ ! -e "$P/mode" ] || fail "$what: the fault was not taken"
    point DeleteAccessKey $fault
    settled
done
say "aws-access-key: $tried faults of the service and deaths of the broker"

say "points tried: $tried"
audit_verifies
no_leak
