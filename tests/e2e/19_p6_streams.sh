# P6: bodies of any length, both ways, at any speed, in HTTP/1.1 and HTTP/2: as
# they were, or broken off; and nothing of an answer gives the value away.
# PROXY_MIB=1024 tests/e2e/run.sh …: the long bodies are so long (256 without).
. "$SRC/tests/e2e/lib.sh"
. "$SRC/tests/e2e/proxy_lib.sh"
MIB=${PROXY_MIB:-256}

authority good
roots good
service one proxy_streams.py
CLEANUP+=("kill \$(cat $C/nginx.pid)")
ONE=http://127.0.0.1:$PORT
vault
VALUE=$(canary Sk-Proxy-)
printf %s "$VALUE" | auth-guard put api/key --min-grade proxy >"$C/out" || fail put
P1="secret=ag://api/key,upstream=$ONE,url-env=API_URL,key-env=API_KEY,inner"
BROKER=$(broker_pid)

# The task's calls: `call ARGS…` is curl with the placeholder.
cat >"$S/call.sh" <<'T'
call() { curl -sS -m 300 -H "Authorization: Bearer $API_KEY" "$@"; }
# Killed within the body: at its own limit curl would end it properly.
broken() { timeout -s KILL 1 curl -sS --limit-rate 1M -H "Authorization: Bearer $API_KEY" "$@"; }
T
task() { # SCRIPT [--proxy …]: a task that knows `call`
    script "$1"
    ok auth-guard run --no-isolate --proxy "${2:-$P1}" -- bash "$S/task.sh"
}
script() { printf '. "%s"\n%s\n' "$S/call.sh" "$1" >"$S/task.sh"; }
logged() { # PATH KEY: what the service noted of it last
    grep -F "\"path\": \"$1\"" "$C/one.log" | tail -n 1 | jq -r ".$2"
}

say "a client that is always behind gets it all, unchanged"
for form in length chunked; do
    task 'call --limit-rate 6M "$API_URL/source/'$form'/16777216" | sha256sum'
    [ "${OUT%% *}" = "$(logged "/source/$form/16777216" sha256)" ] ||
        fail "another answer than was sent ($form)"
done

say "$MIB MiB up and down, in either form: the broker stays small"
head -c $((MIB * 1048576)) /dev/zero | tr '\0' 'x' | fold -w 997 |
    head -c $((MIB * 1048576)) >"$S/blob"
SUM=$(sha256sum <"$S/blob")
task 'call "$API_URL/warm"'
watch
for form in 'X-N: 1' 'Transfer-Encoding: chunked'; do
    begun=$(date +%s%N)
    task 'call -f -T "'"$S/blob"'" -H "'"$form"'" "$API_URL/up"'
    took=$((($(date +%s%N) - begun) / 1000000))
    has "$OUT" "\"bytes\": $((MIB * 1048576))"
    [ "$(logged /up sha256)" = "${SUM%% *}" ] || fail "another body than was sent"
    say "tried: up, $form: $took ms, peak grew by $(grown) KiB"
done
for form in length chunked; do
    begun=$(date +%s%N)
    task 'call -f "$API_URL/source/'$form/$((MIB * 1048576))'" | sha256sum'
    took=$((($(date +%s%N) - begun) / 1000000))
    [ "${OUT%% *}" = "$(logged "/source/$form/$((MIB * 1048576))" sha256)" ] ||
        fail "another answer than was sent ($form)"
    say "tried: down, $form: $took ms, peak grew by $(grown) KiB"
done
truncate -s 1G "$S/large"
task 'call -f -T "'"$S/large"'" "$API_URL/large"'
has "$OUT" '"bytes": 1073741824'
[ "$(logged /large end)" = whole ] || fail "cut"
watched
say "tried: up, 1 GiB: peak grew by $(grown) KiB"
rm "$S/large"

say "an early answer: what is still sent arrives whole, or is cut; never in between"
head -c 8388608 "$S/blob" >"$S/less"
for form in 'X-N: 1' 'Transfer-Encoding: chunked'; do
    task 'call -T "'"$S/less"'" -H "Expect:" -H "'"$form"'" "$API_URL/early/200"'
    has "$OUT" early
    within 10 grep -qF '/early/200' "$C/one.log" || fail "not noted"
    [ "$(logged /early/200 end) $(logged /early/200 bytes)" = "whole 8388608" ] ||
        fail "a part arrived as the whole: $form $(cat "$C/one.log")"
    : >"$C/one.log"
    task 'call -T "'"$S/less"'" -H "Expect:" -H "'"$form"'" "$API_URL/early/413"'
    has "$OUT" early
    within 10 grep -qF '/early/413' "$C/one.log" || fail "not noted"
    [ "$(logged /early/413 end)" = cut ] ||
        [ "$(logged /early/413 bytes)" = 8388608 ] ||
        fail "a part arrived as the whole: $form $(cat "$C/one.log")"
    : >"$C/one.log"
done

say "an upload that breaks off is one"
for form in 'X-N: 1' 'Transfer-Encoding: chunked'; do
    task 'broken -T "'"$S/less"'" -H "'"$form"'" "$API_URL/broken"; true'
    within 10 grep -qF '/broken' "$C/one.log" || fail "not noted"
    [ "$(logged /broken end)" = cut ] || fail "arrived as the whole"
    : >"$C/one.log"
done
task 'echo "$API_KEY" >"'"$S/past"'"'
script '(head -c 300000 "'"$S/less"'"; cat "'"$S/past"'"; head -c 300000 "'"$S/less"'") |
    call -T - "$API_URL/past"'
ok auth-guard run --no-isolate --proxy "$P1" -- bash "$S/task.sh"
[ "$(logged /past end)" = whole ] || fail "one of a task that has ended is history: $OUT $ERR"
audit_has redact.tripwire ended_placeholder '"found":"body"'
auth-guard run --no-isolate --proxy "$P1" -- sh -c 'echo "$API_KEY" >"$0"; sleep 60' "$S/live" >/dev/null 2>&1 &
at_end "kill $!"
within 10 test -s "$S/live" || fail "no placeholder"
script '(head -c 300000 "'"$S/less"'"; cat "'"$S/live"'"; head -c 300000 "'"$S/less"'") |
    call -T - "$API_URL/broken"; sleep 5'
run auth-guard run --no-isolate --proxy "$P1" -- bash "$S/task.sh"
has "$OUT" foreign_placeholder
has "$ERR" 'the task was ended: alarm'
within 10 grep -qF '/broken' "$C/one.log" || fail "not noted"
[ "$(logged /broken end)" = cut ] || fail "arrived as the whole"

say "no part of an answer is asked for, none is given"
task 'call -r 0-2 "$API_URL/ranged"; call "$API_URL/odd/part"; call "$API_URL/odd/beyond"'
[ "$(logged /ranged range)" = "" ] || fail "a range was asked for"
[ "$(grep -o '"code":"partial_answer"' <<<"$OUT" | wc -l)" -eq 2 ] || fail "a part was passed on: $OUT"

say "whatever of an answer holds the value"
for form in name lower reason coding cookie location trailers; do
    task 'call -i --raw "$API_URL/odd/'$form'"'
    hasnt "${OUT,,}" "${VALUE,,}" "an answer ($form)"
    [ "$(logged "/odd/$form" auth)" = "Bearer $VALUE" ] || fail "not called ($form)"
done

say "trailers of a request are refused"
cat >"$S/trailers.py" <<'T'
import os, re, socket
host, port, base = re.match(r"http://([^:]+):(\d+)(/.*)", os.environ["API_URL"]).groups()
s = socket.create_connection((host, int(port)), timeout=20)
s.sendall(f"POST {base}/trailed HTTP/1.1\r\nHost: {host}:{port}\r\n"
          f"Authorization: Bearer {os.environ['API_KEY']}\r\n"
          "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
          "3\r\nabc\r\n0\r\nX: 1\r\n\r\n".encode())
print(s.recv(65536).decode())
T
task 'python3 "'"$S/trailers.py"'"'
has "$OUT" 'HTTP/1.1 400'
! grep -F '/trailed' "$C/one.log" | grep -qF whole || fail "a trailer went out"

say "one connection, a decision for each request"
cat >"$S/reuse.py" <<'T'
import http.client, json, os, re
host, port, base = re.match(r"http://([^:]+):(\d+)(/.*)", os.environ["API_URL"]).groups()
key = {"Authorization": "Bearer " + os.environ["API_KEY"]}
conn = http.client.HTTPConnection(host, int(port), timeout=20)
conn.connect()
sock = conn.sock
task = int(base.split("/")[2])
for path, head, wanted in (
        (base + "/kept/1", key, "200"), ("/p/evil.example/x", {}, "unknown_service"),
        (base + "/kept/2", key, "200"), (f"/t/{task + 1}/x/y", {}, "wrong_process"),
        (base + "/kept/..", key, "path_refused"),
        (base + "/kept/3", {"X-Key": key["Authorization"]}, "wrong_place"),
        (base + "/kept/4", key, "200")):
    conn.request("POST", path, body=b"x" * 10, headers=head)
    answer = conn.getresponse()
    body = answer.read()
    got = "200" if answer.status == 200 else json.loads(body)["code"]
    assert got == wanted, (path, got, wanted)
    assert conn.sock is sock, "another connection"
print("all decided")
T
task 'python3 "'"$S/reuse.py"'"'
has "$OUT" 'all decided'
for n in 1 2 4; do
    [ "$(logged /kept/$n auth)" = "Bearer $VALUE" ] || fail "not called: $n"
done
! grep -qF /kept/3 "$C/one.log" || fail "sent without a decision"

say "HTTP/2 to the service: requests, streams, events"
[ -s "$C/one.port.h2" ] || fail "no nginx"
P2="secret=ag://api/key,upstream=https://127.0.0.1:$(cat "$C/one.port.h2")"
P2+=",url-env=API_URL,key-env=API_KEY,inner"
# A client that offers it to the proxy is answered by HTTP/1.1; one that begins
# with it has no answer, or one of HTTP/1.1.
task 'call -f --http2 -o /dev/null -w "%{http_version} %{response_code}" \
    "$API_URL/offered"' "$P2"
[ "$OUT" = "1.1 200" ] || fail "not by HTTP/1.1: $OUT"
[ "$(logged /offered protocol)" = HTTP/2.0 ] || fail "not by HTTP/2"
task 'call --http2 -f -o /dev/null -o /dev/null -w "%{http_version} %{num_connects} " \
    "$API_URL/kept/[1-2]"' "$P2"
[ "$OUT" = "1.1 1 1.1 0 " ] || fail "not on one connection: $OUT"
task 'call -m 10 --http2-prior-knowledge "$API_URL/begun" 2>&1; echo " exit $?"' "$P2"
[[ $OUT != *"exit 0"* ]] && [ -z "$(logged /begun protocol)" ] || fail "HTTP/2 spoken: $OUT"
task 'call -f -H "Connection: X-Drop" -H "X-Drop: 1" "$API_URL/two?a=1&b=%20"' "$P2"
[ "$(logged '/two?a=1&b=%20' protocol)" = HTTP/2.0 ] || fail "not by HTTP/2"
[ "$(logged '/two?a=1&b=%20' auth)" = "Bearer $VALUE" ] || fail "without the value"
hasnt "$OUT" "$VALUE" "an answer"
for form in 'X-N: 1' 'Transfer-Encoding: chunked'; do
    task 'call -f -T "'"$S/less"'" -H "'"$form"'" "$API_URL/two/up"' "$P2"
    has "$OUT" '"bytes": 8388608'
    [ "$(logged /two/up protocol)" = HTTP/2.0 ] || fail "not by HTTP/2"
done
task 'call --limit-rate 6M "$API_URL/source/chunked/16777217" | sha256sum' "$P2"
[ "${OUT%% *}" = "$(logged /source/chunked/16777217 sha256)" ] || fail "another answer"
cat >>"$S/call.sh" <<'T'
stamped() { while read -r line; do [ -z "$line" ] || echo "$(date +%s%N) $line"; done; }
T
task 'call -N "$API_URL/events" | stamped' "$P2"
[ "$(grep -c data: <<<"$OUT")" -eq 5 ] || fail "not five events: $OUT"
first=$(sed -n 1p <<<"$OUT") last=$(sed -n '$p' <<<"$OUT")
[ $((${last%% *} - ${first%% *})) -gt 500000000 ] || fail "all at once: $OUT"
for form in lower cookie location trailers; do
    task 'call -i --raw "$API_URL/odd/'$form'"' "$P2"
    hasnt "${OUT,,}" "${VALUE,,}" "an answer by HTTP/2 ($form)"
done

say "the end is not put off by what is passed on"
printf '. "%s"\ncall -N --limit-rate 1K "$API_URL/source/chunked/99999999" >"%s"\n' \
    "$S/call.sh" "$S/slow" >"$S/task.sh"
auth-guard run --no-isolate --proxy "$P1" -- bash "$S/task.sh" >/dev/null 2>&1 &
slow=$!
within 10 test -s "$S/slow" || fail "no answer begins"
begun=$(date +%s%N)
ok auth-guard stop
within 10 broker_gone || fail "the broker goes on"
took=$((($(date +%s%N) - begun) / 1000000))
[ $took -lt 4000 ] || fail "it took $took ms"
say "tried: stop with a slow download under way: $took ms"
wait $slow 2>/dev/null

rm -f "$S/blob" "$S/less" "$S/slow"
ok auth-guard unlock
audit_verifies
no_leak
