# P5 where redaction meets people: a check that changes nothing, git's hooks in a
# real repository.
. "$SRC/tests/e2e/lib.sh"

letters() { head -c $(($1 * 8)) /dev/urandom | base64 -w0 | tr -dc 'A-Za-z0-9' | head -c "$1"; }
GITHUB=ghp_$(letters 36)
printf 'one\ntwo %s\nthree\n' "$GITHUB" >"$S/text"
said() { # STATUS STDOUT STDERR: of the last run
    [ $RC -eq "$1" ] || fail "exit $RC, not $1: $ERR $OUT"
    [ "$OUT" = "$2" ] || fail "on stdout: $OUT"
    [ "$ERR" = "$3" ] || fail "on stderr: $ERR"
}

say "redact --check without a vault: when rules are asked for"
run auth-guard redact --check "$S/text"
[ $RC -eq 69 ] && [ -z "$OUT" ] || fail "without a vault and without --rules: exit $RC $OUT"
run auth-guard redact --check --rules default "$S/text"
said 1 '' "$S/text:2:5: looks like a secret (rule github-token)"
run sh -c 'cat "$1" | auth-guard redact --check --rules default' sh "$S/text"
said 1 '' "-:2:5: looks like a secret (rule github-token)"
run sh -c 'echo nothing | auth-guard redact --check --rules default'
said 0 '' ''
run auth-guard redact --check --rules default --json "$S/text"
said 1 "{\"findings\":[{\"file\":\"$S/text\",\"line\":2,\"column\":5,\"offset\":8,\"name\":\"rule:github-token\",\"form\":\"raw\"}],\"count\":1}" ''
run auth-guard redact --check --rules default "$S/none"
[ $RC -eq 66 ] || fail "a file that is not there: exit $RC"
run auth-guard redact --check --rules default --report "$S/report" "$S/text"
[ $RC -eq 64 ] && [ ! -e "$S/report" ] || fail "with a report: exit $RC"

say "with one: its values too, by name to its operator, in every form"
vault
VALUE=$(canary)
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
{ printf 'a "%s"\n' "$VALUE"; printf %s "$VALUE" | base64 -w0; echo; } >>"$S/text"
run auth-guard redact --check "$S/text"
said 1 '' "$S/text:2:5: looks like a secret (rule github-token)
$S/text:4:4: holds the value of web/key
$S/text:5:1: holds the value of web/key, as base64"
run auth-guard redact --check --rules known "$S/text"
said 1 '' "$S/text:4:4: holds the value of web/key
$S/text:5:1: holds the value of web/key, as base64"
cat >"$S/mine.json" <<'JSON'
{"rules": 1, "group": "mine", "title": "Mine", "items": [{"id": "badge", "service": "us",
 "description": "a badge", "source": "our handbook", "regex": "BADGE-[0-9]{6}", "keywords": ["BADGE-"],
 "examples": ["«BADGE-‹digits:6›»"], "negatives": ["BADGE-12"]}]}
JSON
run sh -c 'printf "%s and BADGE-123456\n" "$2" | auth-guard redact --check --rules-file "$1"' sh "$S/mine.json" "$VALUE"
said 1 '' "-:1:1: holds the value of web/key
-:1:$((${#VALUE} + 6)): looks like a secret (rule badge)"
cp "$S/text" "$TREE/text"
run auth-guard run --no-isolate -- auth-guard redact --check --rules known text
said 1 '' "text:4:4: holds a value of the vault
text:5:1: holds a value of the vault, as base64"
run auth-guard run "${INSIDE[@]}" -- auth-guard redact --check text
[ $RC -eq 69 ] && has "$ERR" "can't be looked for from inside an isolated task"
rm "$TREE/text"
auth-guard lock >/dev/null 2>&1
run auth-guard redact --check "$S/text"
[ $RC -eq 69 ] && [ -z "$OUT" ] || fail "locked: exit $RC $OUT"
auth-guard unlock >/dev/null 2>&1 || fail unlock
