# P6: at grade proxy the value is in nothing that the task can see, and reaches
# the service all the same, at the declared place and nowhere else.
. "$SRC/tests/e2e/lib.sh"
. "$SRC/tests/e2e/proxy_lib.sh"

authority good
authority bad
roots good

service one proxy_service.py
ONE=http://127.0.0.1:$PORT
vault
VALUE=$(canary sk-proxy-)
printf %s "$VALUE" | auth-guard put api/key --min-grade proxy >"$C/out" || fail put
P1="secret=ag://api/key,upstream=$ONE,url-env=API_URL,key-env=API_KEY,inner"

say "no other grade is given"
refused grade_refused\|'allows proxy' auth-guard run --env K=ag://api/key -- true
refused 'only the operator' neighbour auth-guard run --proxy "$P1" -- true

say "header: the service gets the value, the task a marker, in every form"
cat >"$TREE/call.sh" <<'T'
printf 'KEY %s\n' "$API_KEY"
curl -sS -i -m 20 -H "Authorization: Bearer $API_KEY" -H "X-Forwarded-For: 1" \
    -H "Connection: X-Drop" -H "X-Drop: 1" -H "Accept-Encoding: gzip" \
    "$API_URL/hello?a=1&b=%20"
tr '\0' '\n' </proc/self/environ
T
ok auth-guard run --proxy "$P1" -- sh "$TREE/call.sh"
has "$OUT" 'HTTP/1.1 200'
has "$OUT" 'Set-Cookie: sid=1'
has "$OUT" 'X-Echo: Bearer [redacted]'
hasnt "$OUT" "$VALUE" "the answer"
hasnt "$OUT" "$(printf %s "$VALUE" | od -An -tx1 | tr -d ' \n')" "the answer in hex"
hasnt "$OUT" 'X-Hop'
KEY=$(sed -n 's/^KEY //p' <<<"$OUT")
[[ $KEY == sk-* && ${#KEY} -eq ${#VALUE} ]] || fail "not like the value: $KEY"
saw one "Bearer $VALUE"
saw one '/hello?a=1&b=%20'
saw_not one X-Forwarded
saw_not one X-Drop
saw_not one Accept-Encoding
saw_not one "$KEY"
audit_has secret.read '"verb":"proxy"' api/key
has "$(auth-guard exposure api/key)" proxy

say "query and basic authentication"
Q="secret=ag://api/key,upstream=$ONE/q,url-env=API_URL,key-env=API_KEY,query=key,inner"
ok auth-guard run --proxy "$Q" -- \
    sh -c 'curl -sS -f -m 20 "$API_URL/x?a=1&key=$API_KEY&z=2"'
saw one "/q/x?a=1&key=$VALUE&z=2"
hasnt "$OUT" "$VALUE" "the answer"
B="secret=ag://api/key,upstream=$ONE/b,url-env=API_URL,key-env=API_KEY,basic=bot,inner"
ok auth-guard run --proxy "$B" -- \
    sh -c 'curl -sS -f -m 20 -u "bot:$API_KEY" "$API_URL/x"'
saw one "Basic $(printf %s "bot:$VALUE" | base64 -w0)"
hasnt "$OUT" "$VALUE" "the answer"
# As git does: without a password until it is asked for one.
ok auth-guard run --proxy "$B" -- \
    sh -c 'curl -sS -f -m 20 --anyauth -u "bot:$API_KEY" "$API_URL/asked"'
saw one /b/asked
run auth-guard run --proxy "$B" -- \
    sh -c 'curl -sS -m 20 -u "bot:$API_KEY" "${API_URL%/b}/c"'
has "$OUT" wrong_path # another wish opened it, for another task
saw_not one '"/c'
printf %s "$(canary sk-paths-)" | auth-guard put api/paths >"$C/out" || fail put
ok auth-guard run --proxy \
    "secret=ag://api/paths,upstream=$ONE/only,url-env=API_URL,key-env=API_KEY,inner" -- \
    sh -c 'curl -sS -m 20 -H "Authorization: Bearer $API_KEY" "${API_URL%/only}/else"'
has "$OUT" wrong_path
saw_not one /else

say "a field of a JSON body"
J="secret=ag://api/key,upstream=$ONE/j,url-env=API_URL,key-env=API_KEY,json=/auth/key,inner"
cat >"$TREE/json.sh" <<'T'
j='Content-Type: application/json'
curl -sS -f -m 20 -H "$j" -d '{"auth": {"key": "'"$API_KEY"'"}, "n": 1}' "$API_URL/1"
curl -sS -f -m 20 -H "$j" -H 'Transfer-Encoding: chunked' \
    -d '{"n": [], "auth": {"key": "'"$API_KEY"'"}}' "$API_URL/2"
curl -sS -m 20 -H "$j" -d '{"auth": {"user": "'"$API_KEY"'"}}' "$API_URL/3"
curl -sS -m 20 -H "$j" -d '{"auth": {"key": "none"}}' "$API_URL/4"
curl -sS -m 20 -H "$j" -d '{"auth": {"key": "'"$API_KEY"'"}, "x": "'"$(head -c 70000 \
    /dev/zero | tr '\0' x)"'"}' "$API_URL/5"
T
ok auth-guard run --proxy "$J" -- sh "$TREE/json.sh"
saw one "{\\\"auth\\\": {\\\"key\\\": \\\"$VALUE\\\"}, \\\"n\\\": 1}"
saw one "{\\\"n\\\": [], \\\"auth\\\": {\\\"key\\\": \\\"$VALUE\\\"}}"
for code in wrong_place credential_missing limit; do has "$OUT" "\"code\":\"$code\""; done
for i in 3 4 5; do saw_not one "/j/$i"; done
hasnt "$OUT" "$VALUE" "the answer"

say "so many uses, and no more"
ok auth-guard run --proxy "$P1,uses=2" -- sh -c 'for i in 1 2 3; do
    curl -sS -m 20 -H "Authorization: Bearer $API_KEY" "$API_URL/used/$i"; done'
has "$OUT" /used/2
has "$OUT" grant_used_up
saw_not one /used/3

say "so many each hour, so many bytes"
ok auth-guard run --proxy "$P1,rate=2/h" -- sh -c 'for i in 1 2 3; do
    curl -sS -m 20 -H "Authorization: Bearer $API_KEY" "$API_URL/rate/$i"; done'
has "$OUT" /rate/2
has "$OUT" rate_limited
saw_not one /rate/3
head -c 300000 /dev/zero | tr '\0' 'x\n' >"$TREE/some"
ok auth-guard run --proxy "$P1,bytes=200000" -- sh -c 'curl -sS -m 20 -T "$0" \
    -H "Authorization: Bearer $API_KEY" "$API_URL/bytes/1"
    curl -sS -m 20 -H "Authorization: Bearer $API_KEY" "$API_URL/bytes/2"' "$TREE/some"
[ "$(grep -o '"code":"grant_bytes_used_up"' <<<"$OUT" | wc -l)" -eq 2 ] || fail "bytes: $OUT"
saw_not one /bytes/2

say "a request without the placeholder goes out only where that was said"
ok auth-guard run --proxy "$P1" -- sh -c 'curl -sS -m 20 "$API_URL/bare/1"
    curl -sS -m 20 -H "Authorization: Bearer sk-of-its-own" "$API_URL/bare/2"'
[ "$(grep -o '"code":"credential_missing"' <<<"$OUT" | wc -l)" -eq 2 ] || fail "bare: $OUT"
has "$OUT" 'in the header Authorization'
ok auth-guard run --proxy "$P1,optional" -- sh -c 'curl -sS -m 20 "$API_URL/bare/3"'
saw one /bare/3
saw_not one /bare/1
saw_not one /bare/2

say "TLS is verified"
service tls proxy_service.py "$C/good-leaf.pem" "$C/good-leaf.key"
T="secret=ag://api/key,upstream=https://127.0.0.1:$PORT,url-env=API_URL,key-env=API_KEY,inner"
ok auth-guard run --proxy "$T" -- \
    sh -c 'curl -sS -f -m 20 -H "Authorization: Bearer $API_KEY" "$API_URL/x"'
saw tls "Bearer $VALUE"
service tls2 proxy_service.py "$C/bad-leaf.pem" "$C/bad-leaf.key"
T="secret=ag://api/key,upstream=https://127.0.0.1:$PORT,url-env=API_URL,key-env=API_KEY,inner"
ok auth-guard run --proxy "$T" -- \
    sh -c 'curl -sS -m 20 -H "Authorization: Bearer $API_KEY" "$API_URL/x"'
has "$OUT" upstream_tls
[ ! -s "$C/tls2.log" ] || fail "a service that can't prove who it is was sent a request"

say "an inner address only where that was said"
T="secret=ag://api/paths,upstream=https://127.0.0.1:$PORT,url-env=API_URL,key-env=API_KEY"
ok auth-guard run --proxy "$T" -- \
    sh -c 'curl -sS -m 20 -H "Authorization: Bearer $API_KEY" "$API_URL/x"'
has "$OUT" address_refused

say "a body in either form, streamed: the broker stays small"
BROKER=$(broker_pid)
before=$(awk '/VmRSS/{print $2}' "/proc/$BROKER/status")
head -c 104857600 /dev/zero | tr '\0' 'x\n' >"$TREE/blob"
for form in 'X-N: 1' 'Transfer-Encoding: chunked'; do
    ok auth-guard run --proxy "$P1" -- sh -c 'curl -sS -f -m 120 -T "$0" \
        -H "$1" -H "Authorization: Bearer $API_KEY" "$API_URL/up"' "$TREE/blob" "$form"
    has "$OUT" '"bytes": 104857600'
done
after=$(awk '/VmRSS/{print $2}' "/proc/$BROKER/status")
[ $((after - before)) -lt 20480 ] || fail "the broker grew by $((after - before)) KiB"
rm "$TREE/blob"

say "events pass as they come"
cat >"$TREE/events.sh" <<'T'
curl -sSN -m 20 -H "Authorization: Bearer $API_KEY" "$API_URL/events/5" |
    while read -r line; do [ -z "$line" ] || echo "$(date +%s%N) $line"; done
T
ok auth-guard run --proxy "$P1" -- sh "$TREE/events.sh"
[ "$(grep -c data: <<<"$OUT")" -eq 5 ] || fail "not five events: $OUT"
first=$(sed -n 1p <<<"$OUT") last=$(sed -n '$p' <<<"$OUT")
[ $((${last%% *} - ${first%% *})) -gt 500000000 ] || fail "all at once: $OUT"

say "64 at once"
ok auth-guard run --proxy "$P1" -- sh -c 'curl -sS -f -Z --parallel-max 64 -m 60 \
    -o /dev/null -w "%{http_code}\n" -H "Authorization: Bearer $API_KEY" \
    "$API_URL/many/[1-64]"'
[ "$(grep -cx 200 <<<"$OUT")" -eq 64 ] || fail "not 64 answers: $OUT"

say "hostile requests: each refused with its code, none sent"
run auth-guard run --no-isolate --proxy "$P1" -- python3 "$SRC/tests/e2e/proxy_hostile.py"
[ $RC -eq 0 ] || fail "$OUT $ERR"
say "$OUT"
! grep -E '"path": "/(frame|chunks|te|v|place|host|h|c|g|a[^"]*|p[^"]*|)[?"]' \
    "$C/one.log" || fail "a refused request was sent"
audit_has policy.denied wrong_place
audit_has policy.denied path_refused

# One that shows itself not encoded when its head has been passed on can only be
# broken off: what a client is told depends on whether both came together.
say "an answer that is encoded unasked, or cut, is not passed on"
cat >"$TREE/odd.sh" <<'T'
curl -sS -m 20 -H "Authorization: Bearer $API_KEY" "$API_URL/gzip"; echo
curl -sS -m 20 -H "Authorization: Bearer $API_KEY" "$API_URL/gzip/late"; echo "late $?"
curl -sS -f -m 20 -o /dev/null -H "Authorization: Bearer $API_KEY" "$API_URL/cut" 2>/dev/null
echo "cut $?"
T
ok auth-guard run --proxy "$P1" -- sh "$TREE/odd.sh"
has "$OUT" encoded_answer
[[ $OUT == *$'\n'late\ [1-9]* ]] || fail "some of it is passed on: $OUT"
hasnt "$OUT" 'cut 0'

say "a client that goes away takes its call with it; so does the task's end"
run auth-guard run --proxy "$P1" -- sh -c \
    'curl -sS -m 1 -o /dev/null -H "Authorization: Bearer $API_KEY" "$API_URL/forever/1"'
within 10 grep -qF '"gone": "/forever/1"' "$C/one.log" || fail "the call goes on"
auth-guard run --proxy "$P1" -- sh -c \
    'curl -sS -o /dev/null -H "Authorization: Bearer $API_KEY" "$API_URL/forever/2"' \
    >/dev/null 2>&1 &
within 10 grep -qF '/forever/2' "$C/one.log" || fail "not called"
task=$(auth-guard task list --json | jq -r '[.tasks[] | select(.running)][0].id')
ok auth-guard task end "$task"
within 10 grep -qF '"gone": "/forever/2"' "$C/one.log" || fail "the call goes on"
wait $! 2>/dev/null

say "the placeholder of a task that has ended is a tripwire: this one ends"
run auth-guard run --proxy "$P1" -- sh -c \
    'curl -sS -m 20 -H "Authorization: Bearer '"$KEY"'" "$API_URL/replayed"; sleep 20'
[ $RC -ne 0 ] || fail "the task went on"
has "$OUT" '"code":"ended_placeholder"'
saw_not one /replayed
audit_has redact.tripwire ended_placeholder

say "so is one in another task: both end"
auth-guard run --proxy "$P1" -- sh -c 'printf %s "$API_KEY" >'"$TREE"'/leaked; sleep 60' \
    >/dev/null 2>&1 &
owner=$!
within 10 test -s "$TREE/leaked" || fail "no placeholder"
run auth-guard run --proxy "$P1" -- sh -c 'curl -sS -m 20 -H \
    "Authorization: Bearer $(cat '"$TREE"'/leaked)" "$API_URL/stolen"; sleep 20'
[ $RC -ne 0 ] || fail "the task that used it went on"
has "$OUT" '"code":"foreign_placeholder"'
saw_not one /stolen
wait $owner && fail "the task it was taken from went on"
audit_has redact.tripwire foreign_placeholder

say "and one at another host"
service two proxy_service.py
OTHER=$(canary sk-other-)
printf %s "$OTHER" | auth-guard put api/other >"$C/out" || fail put
P2="secret=ag://api/other,upstream=http://127.0.0.1:$PORT,url-env=OTHER_URL,inner"
run auth-guard run --proxy "$P1" --proxy "$P2" -- sh -c \
    'curl -sS -m 20 -H "Authorization: Bearer $API_KEY" "$OTHER_URL/x"'
[ $RC -ne 0 ] || fail "the task went on"
has "$OUT" '"code":"wrong_host"'
[ ! -s "$C/two.log" ] || fail "the other service was called"
audit_has redact.tripwire wrong_host

say "outside a task the proxy serves nobody"
run curl -sS -m 20 --unix-socket "$SOCKETS/task.sock" \
    "http://localhost/p/127.0.0.1:$PORT/x"
has "$OUT" denied
run curl -sS -m 20 --unix-socket "$SOCKETS/admin.sock" \
    "http://localhost/p/127.0.0.1:$PORT/x"
has "$OUT" not_found

say "a locked vault says so, whoever asks and whatever is sent"
ok auth-guard lock
for path in /p/api.example/x /t/1/api.example/x; do
    run curl -sS -m 20 --unix-socket "$SOCKETS/task.sock" -d body "http://localhost$path"
    has "$OUT" '"code":"locked"'
    run curl -sS -m 20 -T "$TREE/some" "http://127.0.0.1:$(cat "$SOCKETS/port")$path"
    has "$OUT" '"code":"locked"'
done
[ "$(broker_pid)" = "$BROKER" ] || fail "the broker is another"
ok auth-guard unlock

audit_verifies
no_leak
