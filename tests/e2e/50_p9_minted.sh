# P9: a GitHub token and an AWS session for each task, at a service that checks
# who asks as they do: made at the first use, gone when the task ends, or on
# record until they end by themselves, whatever fails or dies in between.
# long: yes
. "$SRC/tests/e2e/provider_lib.sh"

# ---- github-app: a token for each task ----
control reset >"$P/key"
jq -r .SecretAccessKey "$P/key" >>"$C/canaries"
auth-guard put github/app <"$P/app.pem" >/dev/null 2>&1 || fail put
mint=(auth-guard mint set --minter github-app --from github/app)
auth-guard put github/none-key <<<'not a key' >/dev/null 2>&1 || fail put
refused 'no RSA private key' auth-guard mint set --minter github-app --from github/none-key github/agent app=1234 installation=77
refused 'app: the' "${mint[@]}" github/agent installation=77
refused 'repositories: up' "${mint[@]}" github/agent app=1234 installation=77 repositories=acme/site
refused 'like contents:read' "${mint[@]}" github/agent app=1234 installation=77 permissions=everything
refused 'endpoint is' "${mint[@]}" github/agent app=1234 installation=77 endpoint=http://example.org
ok "${mint[@]}" github/agent app=1234 installation=77 repositories=site permissions=contents:read "endpoint=$URL/api/v3"
alive() { control state | jq ".$1 | length"; }
none_alive() { [ "$(alive tokens)" = 0 ]; }
open() { auth-guard mint list --json | jq '.minted | length'; }
none_open() { [ "$(open)" = 0 ]; }
use=$TREE/use
cat >"$use" <<END
#!/bin/sh
printf '%s\n' "\$T" >>"$C/canaries"
curl -sS -m 20 -o /dev/null -w '%{http_code}\n' -H "Authorization: Bearer \$T" "$URL/api/v3/rate_limit"
echo "got \$T"
END
chmod 755 "$use"
: >"$P/calls"
ok auth-guard run --no-isolate --env T=github/agent -- "$use"
has "$OUT" $'200\ngot [redacted]'
within 2 none_alive || fail "the token lives: $(auth-guard mint list)"
within 2 none_open || fail "still open: $(auth-guard mint list)"
[ "$(xargs <"$P/calls")" = 'mint 0 use 0 revoke 0' ] || fail "calls: $(cat "$P/calls")"
# A task without a use makes none; two uses are one token.
: >"$P/calls"
ok auth-guard run --no-isolate --grant github/agent:read -- true
[ ! -s "$P/calls" ] || fail "made without a use"
ok auth-guard run --no-isolate --grant github/agent:read --env T=github/agent -- sh -c \
    '[ "$(auth-guard get github/agent)" = "$T" ] && echo same'
has "$OUT" same
[ "$(grep -c mint "$P/calls")" -eq 1 ] || fail "calls: $(cat "$P/calls")"
within 2 none_alive || fail "the token lives"
say "github-app: made at the first use, redacted, revoked at the end of its task"

# At grade proxy the task has no token: the broker puts it into requests.
: >"$P/calls"
ok auth-guard run --no-isolate --proxy "secret=github/agent,upstream=$URL,url-env=U,key-env=K,inner" -- sh -c \
    'for i in 1 2; do curl -sS -m 20 -o /dev/null -w "%{http_code}\n" -H "Authorization: Bearer $K" "$U/api/v3/rate_limit"; done; echo "$K"'
has "$OUT" $'200\n200\n'
hasnt "$OUT" ghs_1234_ 'the output'
[ "$(grep -c mint "$P/calls")" -eq 1 ] || fail "calls: $(cat "$P/calls")"
within 2 none_alive || fail "the token lives"
say "github-app by the proxy: made at the first request, kept for the next"

# Where it may be made is said by GitHub.
ok "${mint[@]}" github/none app=1234 installation=78 "endpoint=$URL/api/v3"
refused 'installation_unknown' auth-guard run --no-isolate --env T=github/none -- true
ok "${mint[@]}" github/other app=1234 installation=77 repositories=other "endpoint=$URL/api/v3"
refused 'parameters_refused' auth-guard run --no-isolate --env T=github/other -- true
within 2 none_open || fail "still open: $(auth-guard mint list)"

# An end that was not asked for is not believed: what it is of is revoked all the same.
ok "${mint[@]}" github/far app=1234 installation=77 "endpoint=$URL/api/v3"
echo 'mint far' >"$P/mode"
ok auth-guard run --no-isolate --env T=github/far -- "$use"
audit_has mint.minted github/far ends_later_than_asked
within 2 none_alive && within 2 none_open || fail "far: $(alive tokens) live, $(auth-guard mint list)"
ok "${mint[@]}" github/past app=1234 installation=77 "endpoint=$URL/api/v3"
echo 'mint past' >"$P/mode"
refused 'ends_too_soon' auth-guard run --no-isolate --env T=github/past -- true
within 2 none_alive && within 2 none_open || fail "past: $(alive tokens) live, $(auth-guard mint list)"
say "github-app: an end in 9998 or 2001 is not believed, and its token revoked"

# A token is revoked, or it is on record until it ends.
accounted() {
    [ "$(alive "$1")" -le "$(open)" ]
}
rested() { # what is left can't be revoked
    auth-guard mint list --json | jq -e 'all(.minted[]; .code == "never_known")' >/dev/null
}
again() { # a failure is waited on for a second
    run auth-guard run --no-isolate --env T=github/agent -- "$use"
    [ $RC -eq 0 ]
}
for point in \
    'mint refused' 'mint limited' 'mint error_before' 'mint error_after' 'mint drop_after' 'mint garbage' 'mint cut' \
    'mint kill_before' 'mint kill_after' \
    'revoke refused' 'revoke throttled' 'revoke error_before' 'revoke drop_after' 'revoke kill_before' 'revoke kill_after'; do
    what="github-app, $point"
    within 10 rested || fail "$what: not at rest: $(auth-guard mint list)"
    control reset >/dev/null
    before=$(open)
    printf '%s\n' "$point" >"$P/mode"
    run timeout 40 auth-guard run --no-isolate --env T=github/agent -- "$use"
    within 5 test ! -e "$P/mode" || fail "$what: the fault was not taken"
    case $point in
    'mint '*) [ $RC -ne 0 ] || fail "$what: exit 0" ;;
    *) [ $RC -eq 0 ] || [ "${point#*kill}" != "$point" ] || fail "$what: exit $RC $ERR" ;;
    esac
    point ${point}
    within 5 accounted tokens || fail "$what: $(alive tokens) tokens, $(open) on record"
    case $point in
    *refused | *limited | 'revoke '*)
        within 20 none_alive || fail "$what: a token lives: $(auth-guard mint list)" ;;
    *_after | *garbage | *cut)
        [ "$(alive tokens)" -eq 1 ] && [ "$(open)" -gt "$before" ] ||
            fail "$what: $(alive tokens) tokens, $before were on record: $(auth-guard mint list)" ;;
    esac
    within 10 again || fail "$what: the next task has none: $ERR $OUT"
    has "$OUT" $'200\ngot [redacted]'
done
say "github-app: a token is revoked, or on record until it ends"

# ---- aws-sts: a session for each task ----
control reset >"$P/key"
jq -r .SecretAccessKey "$P/key" >>"$C/canaries"
auth-guard put aws/boss <"$P/key" >/dev/null 2>&1 || fail put
mint=(auth-guard mint set --minter aws-sts --from aws/boss)
refused 'no access key' auth-guard mint set --minter aws-sts --from github/none-key aws/agent role=arn:aws:iam::123456789012:role/agent
refused 'role: its ARN' "${mint[@]}" aws/agent role=agent
refused 'policy: a session' "${mint[@]}" aws/agent role=arn:aws:iam::123456789012:role/agent policy=all
ok "${mint[@]}" --ttl 20m aws/agent role=arn:aws:iam::123456789012:role/agent "endpoint=$URL" \
    'policy={"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'
cat >"$TREE/session" <<'END'
#!/bin/sh
jq -r '[.Version, (.AccessKeyId | .[:4]), (.Expiration | test("Z$")), (.SessionToken | length > 100)] | @csv' <"$1"
cat "$1"
END
chmod 755 "$TREE/session"
before=$(open)
ok auth-guard run --no-isolate --file "$TREE/creds=aws/agent" -- "$TREE/session" "$TREE/creds"
control state | jq -r '.sessions[] | .secret, .token' >>"$C/canaries"
has "$OUT" '1,"ASIA",true,true'
has "$OUT" redacted
[ "$(control state | jq -r '.sessions[] | .policy')" = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}' ] || fail "the policy"
[ "$(open)" -eq $((before + 1)) ] || fail "not on record: $(auth-guard mint list)"
has "$(auth-guard mint list --json)" ends_by_itself
[ "$(auth-guard status --json | jq '.counts.revokes_failed // 0')" -le "$before" ] || fail "told as failed"
for point in 'AssumeRole refused' 'AssumeRole throttled' 'AssumeRole drop_after' 'AssumeRole garbage' 'AssumeRole kill_after'; do
    what="aws-sts, $point"
    control reset >"$P/key"
    jq -r .SecretAccessKey "$P/key" >>"$C/canaries"
    auth-guard put aws/boss <"$P/key" >/dev/null 2>&1 || fail put
    before=$(open)
    # Another secret: of one that failed the next try is a while away.
    ok "${mint[@]}" "aws/agent$tried" role=arn:aws:iam::123456789012:role/agent "endpoint=$URL"
    printf '%s\n' "$point" >"$P/mode"
    run timeout 40 auth-guard run --no-isolate --file "$TREE/creds=aws/agent$tried" -- "$TREE/session" "$TREE/creds"
    [ $RC -ne 0 ] && [ ! -e "$P/mode" ] || fail "$what: exit $RC $OUT"
    point ${point}
    [ $(($(open) - before)) -eq "$(alive sessions)" ] || fail "$what: $(alive sessions) sessions, $(open) on record: $(auth-guard mint list)"
    control state | jq -r '.sessions[] | .secret, .token' >>"$C/canaries"
done
say "aws-sts: what credential_process takes, narrowed, on record until it ends"

say "points tried: $tried"
audit_verifies
no_leak
