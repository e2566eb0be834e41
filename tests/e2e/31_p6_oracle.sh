# P6: neither the proxy, with a service that echoes and pauses, nor `redact` lets
# a task ask for a value, confirm the beginning of one or guess it byte by byte;
# nor does what `run` writes into a file that the task can read.
# long: yes
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

say "nor in the report"
ok auth-guard run --no-isolate -- sh -c "$(redact "$OTHER") --report $C/report >/dev/null; base64 -w 0 $C/report"
OUT=$(printf %s "$OUT" | base64 -d)
has "$OUT" '"-"'
hasnt "$OUT" web/other "the report"

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

say "what run writes into a file that the task can read"
jq -n --arg a "$KEY" --arg b "$OTHER" '[$a, $b]' >"$C/written.json"
cp "$SRC/tests/e2e/oracle.py" "$TREE/"
auth-guard run --rules known --ro "$C/written.json" -- env LOG="$TREE/log" python3 oracle.py file "$C/written.json" \
    >"$TREE/log" 2>"$C/err" || fail "file: $(cat "$C/err")"
cat "$C/err"
auth-guard run --no-isolate --rules known -- env LOG="$C/log" python3 oracle.py file "$C/written.json" \
    >"$C/log" 2>"$C/err" || fail "file: $(cat "$C/err")"
cat "$C/err"
# A pipe, and a file that the task does not see, are for the person: names too.
auth-guard run -- sh -c "echo '$SHORT $OTHER'" >"$C/out" || fail run
[ "$(cat "$C/out")" = '[redacted:web/short] [redacted:web/other]' ] || fail "not for a person: $(cat "$C/out")"
OUT=$(auth-guard run --no-isolate -- sh -c "echo '$SHORT $OTHER'" | cat) || fail run
[ "$OUT" = '[redacted:web/short] [redacted:web/other]' ] || fail "not for a person: $OUT"
auth-guard run -- sh -c "echo '$SHORT $OTHER'" >"$TREE/log" || fail run
[ "$(cat "$TREE/log")" = "$SHORT [redacted]" ] || fail "not for the task: $(cat "$TREE/log")"

say "the ninth there ends a task while it runs, however it goes about it"
for out in "$TREE/log" "$C/out"; do
    how=$([ "$out" = "$C/out" ] && echo --no-isolate || true)
    # shellcheck disable=SC2086
    auth-guard run $how -- sh -c "i=0; while [ \$i -lt 12 ]; do i=\$((i + 1)); echo '$OTHER'; echo; done
        sleep 20; echo went on" >"$out" 2>"$C/err" && fail "the task went on"
    has "$(cat "$C/err")" alarm
    hasnt "$(cat "$out")" 'went on' "the log"
done
auth-guard run -- sh -c "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo '$OTHER'; done" | cat >"$C/out"
[ "${PIPESTATUS[0]}" -eq 0 ] || fail "printing to a pipe ended the task"
# Its own token and values count for nothing.
ok auth-guard run --no-isolate --env "V=ag://web/other" -- sh -c \
    'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $AUTH_GUARD_TOKEN $V; done; sleep 0.3'
rm "$TREE/log" "$TREE/oracle.py"
audit_verifies
no_leak
