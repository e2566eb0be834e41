# P5 on a CI runner that has no vault: the GitHub Action as a runner would run
# it; logs, summaries, files, pull requests.
. "$SRC/tests/e2e/lib.sh"
ACTION=$SRC/packaging/github-action
vault
VALUE=$(canary)
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
ok auth-guard redaction-set export --names "$TREE/all.set"
GITHUB=ghp_$(head -c 99 /dev/urandom | base64 -w0 | tr -dc A-Za-z0-9 | head -c 36)
printf '%s\n' "$GITHUB" >>"$C/canaries"
auth-guard stop >/dev/null 2>&1
mv "$VAULT" "$C/away"
unset AUTH_GUARD_PASSPHRASE_FILE

# What the runner gives a step. The service behind it notes what is changed.
mkdir -p "$S/temp"
for name in api other; do
    mkdir -p "$C/$name"
    /usr/bin/python3 "$SRC/tests/e2e/github_runner.py" serve "$C/$name" >"$C/$name.log" 2>&1 &
    at_end "kill $!"
    within 10 test -s "$C/$name/port" || fail "no service: $(cat "$C/$name.log")"
done
API=http://127.0.0.1:$(cat "$C/api/port")
# The workflow file's `with`, as INPUT=VALUE; the log goes to $OUT.
step() { # [INPUT=VALUE]…
    rm -f "$S/summary" "$S/env" "$S/path"
    touch "$S/summary" "$S/env" "$S/path"
    run env -i HOME="$HOME" XDG_RUNTIME_DIR="$RUNDIR" PATH="$PATH" LANG=C.UTF-8 RUNNER_TEMP="$S/temp" GITHUB_ACTION_PATH="$ACTION" \
        GITHUB_WORKSPACE="$TREE" GITHUB_STEP_SUMMARY="$S/summary" GITHUB_ENV="$S/env" GITHUB_PATH="$S/path" \
        GITHUB_EVENT_PATH="$S/event" GITHUB_API_URL="$API" \
        /usr/bin/python3 "$SRC/tests/e2e/github_runner.py" action "$ACTION/action.yml" "github.token=$JOB_TOKEN" "$@"
    hasnt "$OUT$ERR" "$VALUE" "the log"
    hasnt "$OUT$ERR" "$GITHUB" "the log"
    hasnt "$OUT$ERR" "$JOB_TOKEN" "the log"
    [ -z "$(ls -A "$S/temp")" ] || fail "something is left: $(ls "$S/temp")"
}
JOB_TOKEN=$(canary)

say "a command's log and summary; its exit code; its shell is as GitHub's"
cat >"$C/run" <<SH
echo "on stdout $VALUE"; echo "on stderr $GITHUB" >&2
printf '%s' "$VALUE" | base64 -w0; echo
printf '# Done\n%s and %s\n' "$VALUE" "$GITHUB" >>"\$GITHUB_STEP_SUMMARY"
echo name=value >>"\$GITHUB_ENV"
tr '\0' '\n' </proc/\$PPID/environ | grep -c ^AG_ACTION_TOKEN= || true
false | true
echo not reached
SH
step set=all.set run="$(cat "$C/run")"
[ $RC -eq 1 ] || fail "exit $RC: $OUT $ERR"
[ "$OUT" = 'on stdout [redacted:web/key]
on stderr [redacted:rule:github-token]
[redacted:web/key]
0' ] || fail "the log: $OUT $ERR"
[ "$(cat "$S/summary")" = '# Done
[redacted:web/key] and [redacted:rule:github-token]' ] || fail "the summary: $(cat "$S/summary")"
grep -qx name=value "$S/env" || fail "the environment: $(cat "$S/env")"
step run='exit 7' set=all.set
[ $RC -eq 7 ] || fail "exit $RC"
step run="echo '$GITHUB'; echo \"\$GITHUB_STEP_SUMMARY\""
[ $RC -eq 0 ] || fail "exit $RC: $OUT $ERR"
has "$OUT" '[redacted:rule:github-token]' && hasnt "$OUT" "$S/summary" "the commands' environment"

say "later steps, by their shell"
step set=all.set
[ $RC -eq 0 ] && [ "$(cat "$S/path")" = "$ACTION" ] || fail "exit $RC: $OUT $ERR"
has "$(cat "$S/env")" "AG_REDACT_SET=$TREE/all.set"
cat >"$S/later" <<SH
echo "later $VALUE"
SH
run env $(cat "$S/env") PATH="$(cat "$S/path"):$PATH" RUNNER_TEMP="$S/temp" redacted "$S/later"
[ $RC -eq 0 ] && [ "$OUT" = 'later [redacted:web/key]' ] || fail "a later step: exit $RC $OUT $ERR"

say "files, also behind a command that fails"
mkdir -p logs
printf 'a %s\n' "$VALUE" >logs/one
gzip -c logs/one >logs/two.gz
printf '%s\n' "$GITHUB" >'three 3'
step set=all.set run=false files='logs
three 3
'
[ $RC -eq 1 ] || fail "exit $RC: $ERR"
[ "$(cat logs/one 'three 3')" = 'a [redacted:web/key]
[redacted:rule:github-token]' ] && [ "$(gunzip -c logs/two.gz)" = 'a [redacted:web/key]' ] || fail "the files: $(cat logs/one 'three 3')"
step set=all.set files=nowhere
[ $RC -ne 0 ] || fail "a file that is not there"

say "a pull request is checked, or changed; by its address at the service alone"
event() { # BODY [ADDRESS]
    jq -n --arg body "$1" '{title: "A title", body: $body}' >"$C/api/now"
    jq -n --arg body "$1" --arg url "${2-$API}/repos/o/r/pulls/7" '{action: "opened", pull_request: {title: "A title", body: $body, url: $url}}' >"$S/event"
}
event "see $VALUE here
and $GITHUB"
step set=all.set pull-request=check run='echo went on'
[ $RC -ne 0 ] || fail "exit 0: $OUT $ERR"
has "$ERR" 'pull-request-body:1:5: holds the value of web/key' && has "$ERR" 'pull-request-body:2:5: looks like a secret'
hasnt "$OUT" 'went on' 'the log'
[ ! -s "$C/api/changes" ] || fail "it was changed: $(cat "$C/api/changes")"
step set=all.set pull-request=redact run='echo went on'
[ $RC -eq 0 ] || fail "exit $RC: $OUT $ERR"
has "$OUT" '::warning' && has "$OUT" 'went on'
[ "$(jq -c '[.method, .path, .body, .authorization]' "$C/api/changes")" = \
    "$(jq -cn --arg t "Bearer $JOB_TOKEN" '["PATCH", "/repos/o/r/pulls/7", {body: "see [redacted:web/key] here\nand [redacted:rule:github-token]"}, $t]')" ] ||
    fail "$(cat "$C/api/changes")"
rm "$C/api/changes"
# Somebody has edited it since.
event "see $VALUE"
jq -n --arg body "edited: $VALUE" '{title: "A title", body: $body}' >"$C/api/now"
step set=all.set pull-request=redact
[ "$(jq -c .body "$C/api/changes")" = '{"body":"edited: [redacted:web/key]"}' ] || fail "$(cat "$C/api/changes") $ERR"
rm "$C/api/changes"
echo '{"title": "A title", "body": null}' >"$C/api/now"
step set=all.set pull-request=redact
[ $RC -eq 0 ] && [ ! -e "$C/api/changes" ] || fail "taken out already: exit $RC $ERR"
has "$OUT" '::warning'
event "see $VALUE" "http://127.0.0.1:$(cat "$C/other/port")"
step set=all.set pull-request=redact
[ $RC -ne 0 ] || fail "exit 0: $OUT $ERR"
has "$ERR" 'could not be changed'
[ ! -e "$C/other/changes" ] || fail "another service was called"
event 'nothing in it'
step set=all.set pull-request=redact
[ $RC -eq 0 ] && [ ! -e "$C/api/changes" ] || fail "without: exit $RC $ERR"
jq -n --arg body "$GITHUB" --arg api "$API" '{issue: {title: "t", body: null, url: "\($api)/repos/o/r/issues/3"},
    comment: {body: $body, url: "\($api)/repos/o/r/issues/comments/9"}}' >"$S/event"
jq .comment "$S/event" >"$C/api/now"
step pull-request=redact
[ "$(jq -r .path "$C/api/changes")" = /repos/o/r/issues/comments/9 ] || fail "a comment: $RC $ERR"
rm "$C/api/changes"
jq -n --arg body "$GITHUB" --arg api "$API" '{pull_request: {title: "t", body: "b", url: "\($api)/repos/o/r/pulls/7"},
    review: {id: 5, body: $body}}' >"$S/event"
jq .review "$S/event" >"$C/api/now"
step pull-request=redact
[ "$(jq -r '.method + .path' "$C/api/changes")" = PUT/repos/o/r/pulls/7/reviews/5 ] || fail "a review: $RC $ERR"

say "what can't be looked for lets nothing through"
head -c 300 all.set >cut.set
step set=cut.set run='echo ran'
[ $RC -ne 0 ] || fail "exit 0: $OUT $ERR"
hasnt "$OUT" ran 'the log'
step set=none.set run='echo ran'
[ $RC -ne 0 ] || fail "exit 0: $OUT $ERR"
has "$ERR" 'none.set is not there'
step rules=none run='echo ran'
[ $RC -ne 0 ] || fail "exit 0: $OUT $ERR"
hasnt "$OUT" ran 'the log'
step set=all.set rules='$(echo default)' run='echo ran'
[ $RC -ne 0 ] || fail "exit 0: $OUT $ERR"
hasnt "$OUT" ran 'the log'
run auth-guard redact --check --rules none --set all.set logs/one
[ $RC -eq 0 ] || fail "redact --check --set, without: exit $RC"
printf 'x %s\n' "$VALUE" >"$C/text"
run auth-guard redact --check --rules none --set all.set "$C/text"
[ $RC -eq 1 ] && [ "$ERR" = "$C/text:1:3: holds the value of web/key" ] || fail "redact --check --set: exit $RC $ERR"
mv "$C/away" "$VAULT"
rm "$S/event" "$S/later"
no_leak
