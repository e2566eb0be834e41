# P6: neither the proxy, with a service that echoes and pauses, nor `redact` lets
# a task ask for a value, confirm the beginning of one or guess it byte by byte.
# timeout: 900
. "$SRC/tests/e2e/lib.sh"

python3 "$SRC/tests/e2e/proxy_service.py" "$C/service.log" "$C/port" >"$C/service.out" 2>&1 &
CLEANUP+=("kill $!")
within 10 test -s "$C/port" || fail "the service does not start"
vault
KEY=$(canary sk-proj-)
OTHER=$(canary ghp_)
SHORT=kq7zp3 # too short to be told from chance: for a task it is not looked for
# Lines too short to count alone: only all of them are the value.
LINES=$(for i in 1 2 3; do head -c 12 /dev/urandom | base64 | tr '+/' '_-'; done)
printf '%s\n' "$LINES" >>"$C/canaries"
put() { printf %s "$2" | auth-guard put "$1" "${@:3}" >"$C/out" 2>&1 || fail "put $1"; }
put api/key "$KEY" --min-grade proxy
put api/lines "$LINES" --min-grade proxy
put web/other "$OTHER"
put web/short "$SHORT"
ONE="secret=ag://api/key,upstream=http://127.0.0.1:$(cat "$C/port"),url-env=API_URL,key-env=API_KEY,inner"
jq -n --arg a "$KEY" '[$a]' >"$C/key.json"
jq -n --arg a "$KEY" --arg b "$LINES" '[$a, $b]' >"$C/proxied.json"
jq -n --arg a "$KEY" --arg b "$OTHER" '[$a, $b]' >"$C/all.json"
jq -n --arg a "$KEY" --arg b "$LINES" --arg c "$OTHER" '[$a, $b, $c]' >"$C/flow.json"
# A second secret with several lines, which the task's answers are searched for.
TWO="secret=ag://api/lines,upstream=http://127.0.0.1:$(cat "$C/port"),key-env=LINES_KEY,header=X-Lines,inner"

guess() { # HOW FILE RUN-OPTION…
    run auth-guard run --no-isolate "${@:3}" -- python3 "$SRC/tests/e2e/oracle.py" "$1" "$2"
    [ $RC -eq 0 ] || fail "$1 $2: $OUT $ERR"
    printf '%s\n' "$OUT"
}
guess proxy "$C/key.json" --proxy "$ONE"
guess proxy "$C/proxied.json" --proxy "$ONE" --proxy "$TWO"
guess redact "$C/all.json" --proxy "$ONE"
guess stream "$C/flow.json" --proxy "$ONE"

redact() { # TEXT: as a task asks
    printf 'echo "%s" | auth-guard redact' "$1"
}
say "a whole value is taken out, its name is not told; a short one stays"
ok auth-guard run --no-isolate -- sh -c "$(redact "$SHORT $OTHER")"
# What comes out of the task is filtered once more, for the operator.
has "$OUT" '[redacted]'
ok auth-guard run --no-isolate -- sh -c "$(redact "$SHORT $OTHER") | tr a-z b-za"
has "$OUT" "$(printf %s "$SHORT [redacted]" | tr a-z b-za)"
hasnt "$OUT" "$(printf %s web/other | tr a-z b-za)" "what redact said"

say "so many questions a second"
run auth-guard run --no-isolate -- sh -c 'i=0; while [ $i -lt 60 ]; do i=$((i + 1))
    curl -sS -m 20 --unix-socket "$AUTH_GUARD_SOCKET" -H "Authorization: Bearer $AUTH_GUARD_TOKEN" \
        -H "Content-Type: application/json" --data-binary "{\"text\":\"x\"}" http://localhost/v1/redact
    echo; done'
has "$OUT" '"hits":0'
[[ $OUT =~ \"code\":\"rate ]] || fail "no limit: $OUT"

say "the ninth whole value that is none of its own ends a task"
run auth-guard run --no-isolate -- sh -c "i=0; while [ \$i -lt 12 ]; do i=\$((i + 1)); $(redact "$OTHER")
    sleep 0.1; done; sleep 20"
[ $RC -ne 0 ] || fail "the task went on"
has "$ERR" alarm
audit_has redact.tripwire foreign_hits
audit_verifies
no_leak
