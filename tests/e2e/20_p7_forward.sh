# P7: what a task may reach through the forward proxy is what it was allowed:
# by name, by port, by the name in the TLS greeting, at public addresses; and
# only while it runs.
. "$SRC/tests/e2e/lib.sh"
. "$SRC/tests/e2e/proxy_lib.sh"

authority good DNS:localhost,IP:127.0.0.1
cp "$C/good.pem" "$TREE/good.pem"
service tls "$C/good-leaf.pem" "$C/good-leaf.key"
TLS=$PORT
service plain
PLAIN=$PORT
vault

# NO_PROXY has localhost, where these services are.
CURL="curl -sS -m 20 --noproxy none --cacert $TREE/good.pem"
task() { # ALLOW… -- COMMAND: in a shell
    local args=()
    while [ "$1" != -- ]; do
        args+=(--allow "$1")
        shift
    done
    run auth-guard run "${args[@]}" -- sh -c "$2"
}

say "without --allow no variable leads to the proxy"
ok auth-guard run --no-isolate -- sh -c 'echo "[$HTTPS_PROXY$HTTP_PROXY$https_proxy$http_proxy]"'
has "$OUT" '[]'

say "an allowed host is tunnelled untouched, on the record"
task "localhost:$TLS,inner" -- "$CURL -f https://localhost:$TLS/hello"
[ $RC -eq 0 ] || fail "$ERR $OUT"
saw tls /hello
saw_not tls X-Forwarded
audit_has tunnel.opened "localhost:$TLS"
ok auth-guard task list --json
has "$OUT" "localhost:$TLS,inner"

say "what was not allowed is refused, on the record, with what to type"
task "localhost:$TLS,inner" -- "$CURL -p -i https://localhost:$PLAIN/; curl -sS -m 20 -i \
    --noproxy none https://example.org/ 2>&1"
has "$ERR$OUT" 403
audit_has policy.denied host_not_allowed "localhost:$PLAIN"
audit_has policy.denied host_not_allowed example.org
has "$ERR" "warning: refused: localhost:$PLAIN (1 time), example.org (1 time); allow with --allow HOST"
task "localhost:$TLS,inner" -- "$CURL -f https://localhost:$TLS/nothing-refused"
hasnt "$ERR" 'refused:' "the end of a task that was refused nothing"
cat >"$TREE/raw.py" <<'T'
"""Sends stdin to the proxy, prints what comes."""
import os, socket, sys
host, port = os.environ["HTTPS_PROXY"].split("//")[1].split(":")
s = socket.create_connection((host, int(port)), 20)
s.sendall(sys.stdin.buffer.read())
s.settimeout(10)
out = b""
try:
    while part := s.recv(65536):
        out += part
except OSError:
    pass
sys.stdout.buffer.write(out)
T
raw() { # ALLOW BYTES: sent as they are; $OUT is the answer
    task "$1" -- "printf '$2' | python3 $TREE/raw.py"
}
raw example.org 'CONNECT x.example.org:8443 HTTP/1.1\r\n\r\n'
has "$OUT" 'HTTP/1.1 403'
has "$OUT" application/problem+json
has "$OUT" host_not_allowed
has "$OUT" '--allow x.example.org:8443'

say "refusals by the hundred do not fill the record"
rows() { auth-guard audit verify --json | jq .rows; }
before=$(rows)
task example.org -- "for i in 1 2 3 4; do python3 - <<'T'
import os, socket
for i in range(100):
    s = socket.create_connection(('127.0.0.1', int(os.environ['HTTPS_PROXY'].split(':')[-1])), 20)
    s.sendall(b'CONNECT x.example.org:8443 HTTP/1.1\r\n\r\n')
    last = s.recv(4096)
    s.close()
print(last)
T
done"
has "$OUT" 'HTTP/1.1 429'
has "$OUT" rate_limited
[ $(($(rows) - before)) -lt 150 ] || fail "$(($(rows) - before)) rows of 400 refusals"

say "connections that say nothing keep no one out"
cat >"$S/idle.py" <<'T'
import socket, sys, time
held = []
for i in range(900):
    try:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(2)
        s.connect(sys.argv[1])
        s.sendall(b"CONN")
        held.append(s)
    except OSError:
        break
print(len(held), flush=True)
time.sleep(20)
T
neighbour python3 "$S/idle.py" "$SOCKETS/proxy.sock" >"$C/idle" &
idle=$!
within 15 test -s "$C/idle" || fail "no idle connections"
[ "$(cat "$C/idle")" -gt 512 ] || fail "only $(cat "$C/idle") idle connections"
raw example.org 'CONNECT x.example.org:8443 HTTP/1.1\r\n\r\n'
has "$OUT" 'HTTP/1.1 403'
kill $idle

say "malformed heads: each its code"
raw example.org 'CONNECT example.org HTTP/1.1\r\n\r\n'
has "$OUT" 'HTTP/1.1 400'
raw example.org 'CONNECT example.org:443 HTTP/1.1\nHost: a\n\n'
has "$OUT" bad_request
raw example.org 'CONNECT example.org:443 HTTP/1.1\r\nHost: a/b\r\n\r\n'
has "$OUT" bad_request
raw example.org 'CONNECT 0x7f000001:443 HTTP/1.1\r\n\r\n'
has "$OUT" address_refused

say "names and addresses inside are refused unless that was said"
task "localhost:$TLS" -- "$CURL https://localhost:$TLS/inside"
[ $RC -ne 0 ] || fail "reached loopback by a name"
audit_has policy.denied address_refused "localhost:$TLS"
raw "localhost:$TLS" "CONNECT localhost:$TLS HTTP/1.1\\r\\n\\r\\n"
has "$OUT" address_refused
has "$OUT" 'HOST:PORT,inner'
for address in "127.0.0.1:$TLS" 169.254.169.254:80 10.0.0.1:443 '[::1]:443'; do
    raw "$address" "CONNECT $address HTTP/1.1\\r\\n\\r\\n"
    has "$OUT" address_refused
done
saw_not tls /inside
refused 'inner' auth-guard run --allow localhost,inner -- true
refused 'too wide' auth-guard run --allow '*.org' -- true

say "the TLS greeting must name the host of the tunnel"
HELLO="python3 - <<'T'
import os, socket, ssl, sys
port = os.environ['HTTPS_PROXY'].split(':')[-1]
s = socket.create_connection(('127.0.0.1', int(port)), 20)
s.sendall(b'CONNECT localhost:$TLS HTTP/1.1\r\n\r\n')
head = s.recv(4096)
assert b' 200 ' in head, head
c = ssl.create_default_context(cafile='$TREE/good.pem')
c.check_hostname = False
try:
    t = c.wrap_socket(s, server_hostname=NAME)
    t.sendall(b'GET /fronted HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    print('ANSWER', t.recv(100))
except OSError as why:
    print('REFUSED', why)
T"
for name in "'example.org'" "'localhost.evil.net'" None; do
    task "*.example.org" "localhost:$TLS,inner" "localhost:443,inner" -- \
        "${HELLO//NAME/$name}"
    has "$OUT" REFUSED
done
saw_not tls /fronted
audit_has policy.denied wrong_server_name "localhost:$TLS"
task "localhost:$TLS,inner" -- "${HELLO//NAME/"'localhost'"}"
has "$OUT" ANSWER

say "what is not TLS passes only where a port was said"
task "localhost:$PLAIN,inner" -- "$CURL -p -f http://localhost:$PLAIN/other"
[ $RC -eq 0 ] || fail "$ERR $OUT"
saw plain /other

say "plain http goes through the HTTP side: each request on its own"
task "localhost:$PLAIN,inner" -- "$CURL -f -i -H 'Connection: X-Drop' -H 'X-Drop: 1' \
    http://localhost:$PLAIN/absolute?a=1 http://localhost:$PLAIN/again; \
    $CURL -i http://example.org/ http://localhost:$TLS/; printf x | \
    $CURL -f -T - http://localhost:$PLAIN/put"
saw plain '/absolute?a=1'
saw plain /again
saw plain /put
saw_not plain X-Drop
has "$OUT" host_not_allowed
has "$OUT" '--allow example.org'
audit_has host.called "localhost:$PLAIN"
# Connection reuse across hosts, wrong Host, other forms: raw, answers in order.
raw "localhost:$PLAIN,inner" "GET http://localhost:$PLAIN/one HTTP/1.1\r\nHost: localhost:$PLAIN\r\n\r\nGET http://example.org/two HTTP/1.1\r\nHost: example.org\r\n\r\nGET http://LOCALHOST:$PLAIN/three HTTP/1.1\r\nHost: localhost:$PLAIN\r\nConnection: close\r\n\r\n"
[ "$(grep -o 'HTTP/1.1 200' <<<"$OUT" | wc -l)" = 2 ] || fail "not two answers: $OUT"
[ "$(grep -o 'HTTP/1.1 403' <<<"$OUT" | wc -l)" = 1 ] || fail "not one refusal: $OUT"
saw plain /three
for bad in "GET http://localhost:$PLAIN/bad HTTP/1.1\r\nHost: example.org" \
    "GET http://localhost:$PLAIN/bad HTTP/1.1\r\nHost: localhost" \
    "GET http://localhost:$PLAIN/bad HTTP/1.1\r\nA: b" \
    "GET /bad HTTP/1.1\r\nHost: localhost:$PLAIN" \
    "GET /v1/health HTTP/1.1\r\nHost: localhost" \
    "GET https://localhost:$PLAIN/bad HTTP/1.1\r\nHost: localhost:$PLAIN" \
    "GET http://a@localhost:$PLAIN/bad HTTP/1.1\r\nHost: localhost:$PLAIN" \
    "GET http://localhost:$PLAIN HTTP/1.1\r\nHost: localhost:$PLAIN" \
    "GET http:///bad HTTP/1.1\r\nHost: localhost:$PLAIN"; do
    raw "localhost:$PLAIN,inner" "$bad\r\n\r\n"
    has "$OUT" 'HTTP/1.1 400'
done
saw_not plain /bad
raw "localhost:$PLAIN" "GET http://localhost:$PLAIN/inside HTTP/1.1\r\nHost: localhost:$PLAIN\r\nConnection: close\r\n\r\n"
has "$OUT" address_refused
saw_not plain /inside

say "an isolated task has this way out and no other"
printf '%s\n' "$CURL -f https://localhost:$TLS/isolated; $CURL https://localhost:$PLAIN/else
    curl -sS -m 5 --noproxy '*' http://127.0.0.1:$PLAIN/direct" >"$TREE/isolated.sh"
run auth-guard run --isolate --allow "localhost:$TLS,inner" -- sh "$TREE/isolated.sh"
saw tls /isolated
has "$ERR$OUT" 'response 403'
saw_not plain /direct

say "calls again and again do not fill the record, and none is lost"
rows() { # TASK KIND: how many have a row, and how many are counted
    auth-guard audit tail --limit 500 --json | jq -c --argjson task "$1" --arg kind "$2" \
        '[.rows[] | select(.kind == $kind and .task == $task)] |
        [(map(select(.body.folded == null)) | length), (map(.body.folded // 0) | add)]'
}
last_task() { auth-guard task list --json | jq '[.tasks[].id | tonumber] | max'; }
cat >"$TREE/often.sh" <<T
for i in \$(seq 20); do $CURL -o /dev/null http://localhost:$PLAIN/often/\$i; done
for i in \$(seq 15); do $CURL -o /dev/null https://localhost:$TLS/often/\$i; done
touch often; [ "\$1" != stay ] || sleep 60
T
ok auth-guard run --allow "localhost:$PLAIN,inner" --allow "localhost:$TLS,inner" -- sh often.sh
task_id=$(last_task)
[ "$(rows "$task_id" host.called)" = "[12,8]" ] || fail "calls: $(rows "$task_id" host.called)"
[ "$(rows "$task_id" tunnel.opened)" = "[12,3]" ] || fail "tunnels: $(rows "$task_id" tunnel.opened)"
audit_has host.called '"more":"counted"'
# Also by a clean stop, with the task running.
rm often
auth-guard run --allow "localhost:$PLAIN,inner" --allow "localhost:$TLS,inner" -- sh often.sh stay >/dev/null 2>&1 &
within 30 test -e often || fail "the calls were not made"
task_id=$(last_task)
ok auth-guard stop
ok auth-guard unlock
[ "$(rows "$task_id" host.called)" = "[12,8]" ] || fail "after a stop: $(rows "$task_id" host.called)"
[ "$(rows "$task_id" tunnel.opened)" = "[12,3]" ] || fail "after a stop: $(rows "$task_id" tunnel.opened)"
rm often

say "only a task's processes are served"
PROXY=http://127.0.0.1:$(cat "$SOCKETS/proxy.port")
run curl -sS -i -m 20 -x "$PROXY" -p "http://localhost:$PLAIN/outside"
has "$ERR$OUT" 403
saw_not plain /outside
run curl -sS -i -m 20 -x "$PROXY" --noproxy none "http://localhost:$PLAIN/outside"
has "$OUT" 'HTTP/1.1 403'
saw_not plain /outside
[ "$(stat -c %a "$SOCKETS/proxy.sock")" = 600 ] || fail "proxy.sock is open to others"

say "the task's end cuts its tunnels; so does a lock"
cat >"$TREE/hold.py" <<'T'
"""Holds a tunnel from a process that left the task's group, says when it goes."""
import os, socket, sys, time
port = os.environ["HTTPS_PROXY"].split(":")[-1]
s = socket.create_connection(("127.0.0.1", int(port)), 20)
s.sendall(b"CONNECT localhost:%s HTTP/1.1\r\n\r\n" % sys.argv[1].encode())
s.recv(4096)
s.sendall(b"GET /forever/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % sys.argv[2].encode())
while s.recv(65536):
    pass
T
auth-guard run --allow "localhost:$PLAIN,inner" -- python3 "$TREE/hold.py" "$PLAIN" 1 \
    >/dev/null 2>&1 &
within 10 grep -qF /forever/1 "$C/plain.log" || fail "not called"
task_id=$(auth-guard task list --json | jq -r '[.tasks[] | select(.running)][0].id')
ok auth-guard task end "$task_id"
within 2 grep -qF '"gone": "/forever/1"' "$C/plain.log" || fail "the tunnel goes on"
# Also when whoever should kill the task does not get to it.
auth-guard run --no-isolate --allow "localhost:$PLAIN,inner" -- python3 "$TREE/hold.py" "$PLAIN" 3 \
    >/dev/null 2>&1 &
held=$!
within 10 grep -qF /forever/3 "$C/plain.log" || fail "not called"
task_id=$(auth-guard task list --json | jq -r '[.tasks[] | select(.running)][0].id')
kill -STOP $held
ok auth-guard task end "$task_id"
within 2 grep -qF '"gone": "/forever/3"' "$C/plain.log" || fail "the tunnel of a task that has ended goes on"
kill -CONT $held
auth-guard run --allow "localhost:$PLAIN,inner" -- python3 "$TREE/hold.py" "$PLAIN" 2 \
    >/dev/null 2>&1 &
within 10 grep -qF /forever/2 "$C/plain.log" || fail "not called"
ok auth-guard lock
within 2 grep -qF '"gone": "/forever/2"' "$C/plain.log" || fail "the tunnel goes on"
ok auth-guard unlock

audit_verifies
no_leak
