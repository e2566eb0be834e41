# P6: clients that know no address but the proxy's: TLS to the host of a value
# ends at the broker, by an authority that only this task trusts, and the value
# is put into each request there.
. "$SRC/tests/e2e/lib.sh"
. "$SRC/tests/e2e/proxy_lib.sh"

authority good DNS:localhost,IP:127.0.0.1
roots good
service tls "$C/good-leaf.pem" "$C/good-leaf.key"
TLS=$PORT
vault
VALUE=$(canary sk-proxy-)
printf %s "$VALUE" | auth-guard put api/key --min-grade proxy >"$C/out" || fail put
clients_service
P="secret=ag://api/key,upstream=https://localhost:$TLS,key-env=API_KEY,inner"
# These services are on localhost, which NO_PROXY has.
run_task() { # COMMAND [OPTION…]
    local command=$1
    shift
    run auth-guard run "${@:---proxy=$P}" -- sh -c "unset NO_PROXY no_proxy; $command"
}
CURL='curl -sS -m 20 -H "Authorization: Bearer $API_KEY"'

say "curl: the value goes into the request, and out of the answer"
run_task "$CURL -i https://localhost:$TLS/hello?a=1; tr '\0' '\n' </proc/self/environ"
has "$OUT" 'HTTP/1.1 200'
has "$OUT" 'X-Echo: Bearer [redacted]'
hasnt "$OUT" "$VALUE" "the answer"
saw tls "Bearer $VALUE"
saw tls '/hello?a=1'
saw_not tls "$(sed -n 's/^API_KEY=//p' <<<"$OUT")"
audit_has secret.read '"verb":"proxy"' api/key

say "TLS 1.2 and 1.3, many requests on one connection, HTTP/2 not offered"
for version in 1.2 1.3; do
    run_task "$CURL -f --http2 --tlsv$version --tls-max $version -o /dev/null -o /dev/null \
        -w '%{http_version} %{num_connects} ' https://localhost:$TLS/one https://localhost:$TLS/two"
    has "$OUT" '1.1 1 1.1 0'
done

say "the authority is the task's own: its hosts, its time, nobody else's"
run_task "cat \$SSL_CERT_FILE >$TREE/one.pem; for v in NODE_EXTRA_CA_CERTS REQUESTS_CA_BUNDLE \
    CURL_CA_BUNDLE GIT_SSL_CAINFO CARGO_HTTP_CAINFO; do eval test -s \\\$\$v || echo none \$v; done" \
    --no-isolate "--proxy=$P"
[ -z "$OUT" ] || fail "$OUT"
[ "$(grep -c BEGIN "$TREE/one.pem")" -gt 1 ] || fail "the system's roots are not in it"
tac "$TREE/one.pem" | sed '/BEGIN/q' | tac >"$TREE/ours.pem"
ours=$(openssl x509 -in "$TREE/ours.pem" -noout -text)
has "$ours" 'CA:TRUE, pathlen:0'
has "$ours" 'Name Constraints: critical'
has "$ours" 'DNS:localhost'
has "$ours" 'IP:0.0.0.0/0.0.0.0'
openssl x509 -in "$TREE/ours.pem" -noout -checkend 0 >/dev/null || fail "expired"
openssl x509 -in "$TREE/ours.pem" -noout -checkend $((9 * 3600)) >/dev/null && fail "outlives its task"
run_task "$CURL --cacert $TREE/ours.pem https://localhost:$TLS/x"
[ $RC -ne 0 ] || fail "the authority of another task is good"
run_task "curl -sS -v -m 20 https://localhost:$TLS/x 2>&1 | sed -n 's/.*subject: //p'"
has "$OUT" auth-guard

say "clients that look at none of these variables trust it too, in the view alone"
SYSTEM=/etc/ssl/certs/ca-certificates.crt
sum=$(sha256sum <"$SYSTEM")
unaware() { # PATH OPTION…
    local path=$1
    shift
    run env -u SSL_CERT_FILE auth-guard run "$@" "--proxy=$P" -- sh -c "unset NO_PROXY no_proxy SSL_CERT_FILE \
        CURL_CA_BUNDLE; grep -c BEGIN $SYSTEM; (echo x >>$SYSTEM) 2>/dev/null && echo WRITTEN
        umount $SYSTEM 2>/dev/null && echo UNCOVERED; rm -f $SYSTEM 2>/dev/null && echo REMOVED
        $CURL -f https://localhost:$TLS$path"
}
unaware /unaware
[ $RC -eq 0 ] || fail "the authority is not among the system's roots: $RC $OUT $ERR"
saw tls /unaware
[ "$(sed -n 1p <<<"$OUT")" -eq $(($(grep -c BEGIN "$SYSTEM") + 1)) ] || fail "not the system's and ours: $OUT"
[[ $OUT != *WRITTEN* && $OUT != *UNCOVERED* && $OUT != *REMOVED* ]] || fail "the roots can be changed: $OUT"
[ "$(sha256sum <"$SYSTEM")" = "$sum" ] || fail "the system's roots changed"
unaware /unaware-outside --no-isolate
[ $RC -ne 0 ] || fail "trusted without isolation"
# Whoever has roots of their own has them instead of the system's; those stay.
run env SSL_CERT_FILE="$HOME/roots.pem" auth-guard run "--proxy=$P" -- grep -c BEGIN "$SYSTEM"
[ "$OUT" -eq "$(grep -c BEGIN "$SYSTEM")" ] || fail "the system's roots are covered: $OUT $ERR"

say "whom a request is for is what the tunnel is for"
HELLO="python3 - <<'T'
import os, socket, ssl
s = socket.create_connection(('127.0.0.1', int(os.environ['HTTPS_PROXY'].split(':')[-1])), 20)
s.sendall(b'CONNECT localhost:$TLS HTTP/1.1\r\n\r\n')
assert b' 200 ' in s.recv(4096)
c = ssl.create_default_context()
c.check_hostname = False
try:
    t = c.wrap_socket(s, server_hostname=SNI)
    t.sendall(b'GET TARGET HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n')
    out = b''
    while part := t.recv(65536):
        out += part
    print(out.decode())
except OSError as why:
    print('REFUSED', why)
T"
hello() { # SNI TARGET HOST
    local text=${HELLO/SNI/$1}
    text=${text/TARGET/$2}
    run_task "${text/HOST/$3}"
}
hello "'example.org'" /fronted "localhost:$TLS"
has "$OUT" REFUSED
hello None /fronted "localhost:$TLS"
has "$OUT" REFUSED
audit_has policy.denied wrong_server_name "localhost:$TLS"
hello "'localhost'" /fronted example.org
has "$OUT" bad_request
hello "'localhost'" /fronted localhost
has "$OUT" bad_request
hello "'localhost'" "http://localhost:$TLS/fronted" "localhost:$TLS"
has "$OUT" bad_request
hello "'localhost'" /fronted "localhost:$TLS"
has "$OUT" credential_missing
hello "'localhost'" /v1/health "localhost:$TLS"
has "$OUT" credential_missing
names() { auth-guard audit tail --limit 200 --json | jq '[.rows[] | select(.body.code == "wrong_server_name")] | length'; }
before=$(names)
run_task "python3 -c \"import os, socket
s = socket.create_connection(('127.0.0.1', int(os.environ['HTTPS_PROXY'].split(':')[-1])), 20)
s.sendall(b'CONNECT localhost:$TLS HTTP/1.1\r\n\r\nGET /fronted HTTP/1.1\r\nHost: localhost:$TLS\r\n\r\n')
while s.recv(4096): pass\""
[ "$(names)" -eq $((before + 1)) ] || fail "what is not TLS was not refused as such: $OUT $ERR"
saw_not tls /fronted
saw_not tls /v1/health

say "the same rules as by an address: wrong place, wrong host, not by plain http"
run_task "curl -sS -m 20 -H 'X-Key: '\$API_KEY https://localhost:$TLS/wrong"
has "$OUT" wrong_place
run_task "$CURL http://localhost:$TLS/wrong"
has "$OUT" 'called by https'
run_task "$CURL https://localhost:$CLIENTS/wrong" "--proxy=$P" --allow "localhost:$CLIENTS"
saw_not tls /wrong
O=$(canary sk-other-)
printf %s "$O" | auth-guard put api/other >"$C/out" || fail put
run_task "$CURL https://localhost:$CLIENTS/events; sleep 20" "--proxy=$P" \
    --proxy "secret=ag://api/other,upstream=https://localhost:$CLIENTS,inner"
[ $RC -ne 0 ] || fail "a placeholder at another host: the task went on"
audit_has redact.tripwire wrong_host
saw_nothing clients

say "a service that can't prove who it is gets nothing"
printf '[upstream]\nca_file =\n' >"$HOME/.config/auth-guard/settings.ini"
ok auth-guard stop
ok auth-guard unlock
run_task "$CURL https://localhost:$TLS/untrusted"
has "$OUT" upstream_tls
saw_not tls /untrusted
roots good
ok auth-guard stop
ok auth-guard unlock

G="secret=ag://api/key,key-env=API_KEY,inner,upstream=https://localhost:$CLIENTS"
say "git over HTTPS: a password"
run_task "git clone -q https://bot:\$API_KEY@localhost:$CLIENTS/files/repo.git cloned && \
    git -C cloned log --format=%s" "--proxy=$G/files,basic=bot"
[[ $OUT == *'a change of the test'* ]] || fail "$ERR"
saw clients "Basic $(printf %s "bot:$VALUE" | base64 -w0)"

say "npm: a token"
run_task "npm view package version --fetch-retries 0 --loglevel http --registry https://localhost:$CLIENTS/ \
    --//localhost:$CLIENTS/:_authToken=\$API_KEY" "--proxy=$G"
[[ $OUT == *1.2.3* ]] || fail "$ERR $(cat "$C/clients.log" | tail -3)"
saw clients '"/package"'
saw clients "Bearer $VALUE"

say "Python's urllib"
run_task "python3 -c 'import os, urllib.request as u
print(u.urlopen(u.Request(\"https://localhost:$TLS/python\", headers={
    \"Authorization\": \"Bearer \" + os.environ[\"API_KEY\"]}), timeout=20).status)'"
has "$OUT" 200
saw tls /python

say "Node, events as they come"
cat >"$TREE/events.js" <<'T'
const http = require('http'), https = require('https'), tls = require('tls');
const proxy = new URL(process.env.HTTPS_PROXY), [host, port] = process.argv[2].split(':');
http.request({host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: process.argv[2]})
  .on('connect', (head, socket) => https.get({
    host, port, path: '/events', headers: {authorization: 'Bearer ' + process.env.API_KEY},
    createConnection: () => tls.connect({socket, servername: host, ALPNProtocols: ['http/1.1']}),
  }, answer => answer.on('data', part => String(part).split('\n').filter(Boolean)
    .forEach(line => console.log(Date.now(), line))))).end();
T
run_task "node $TREE/events.js localhost:$CLIENTS" "--proxy=$G"
one_by_one

say "a WebSocket in a tunnel"
cat >"$TREE/websocket.py" <<'T'
import os, socket, ssl, sys
where = sys.argv[1]
s = socket.create_connection(("127.0.0.1", int(os.environ["HTTPS_PROXY"].split(":")[-1])), 20)
s.sendall(b"CONNECT %s HTTP/1.1\r\n\r\n" % where.encode())
assert b" 200 " in s.recv(4096)
c = ssl.create_default_context(cafile=sys.argv[2])
t = c.wrap_socket(s, server_hostname=where.split(":")[0])
t.sendall(b"GET /socket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
          % where.encode())
assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in t.recv(4096)
t.sendall(b"\x81\x85\x00\x00\x00\x00hello")
print(t.recv(4096)[-5:].decode())
T
cp "$C/good.pem" "$TREE/good.pem"
run_task "python3 $TREE/websocket.py localhost:$CLIENTS $TREE/good.pem" \
    --allow "localhost:$CLIENTS,inner"
[[ $OUT == *hello* ]] || fail "$OUT $ERR"

say "an upload of 1 GiB: whole, and the broker stays small"
BROKER=$(broker_pid)
truncate -s 1G "$TREE/blob"
watch
run_task "curl -sS -m 300 -H \"Authorization: Bearer \$API_KEY\" -f -T $TREE/blob \
    https://localhost:$TLS/up" "--proxy=$P" --no-isolate
has "$OUT" '"bytes": 1073741824'
watched
say "tried: 1 GiB up: peak grew by $(grown) KiB"
rm "$TREE/blob"

say "64 at once"
run_task "$CURL -f -Z --parallel-max 64 -m 60 -o /dev/null -w '%{http_code}\\n' \
    'https://localhost:$TLS/many/[1-64]'"
[ "$(grep -cx 200 <<<"$OUT")" -eq 64 ] || fail "not 64 answers: $OUT $ERR"

say "the task's end cuts them"
auth-guard run --proxy "$P" -- sh -c "unset NO_PROXY no_proxy; \
    $CURL -o /dev/null https://localhost:$TLS/forever/1" >/dev/null 2>&1 &
within 10 grep -qF /forever/1 "$C/tls.log" || fail "not called"
task=$(auth-guard task list --json | jq -r '[.tasks[] | select(.running)][0].id')
ok auth-guard task end "$task"
within 2 grep -qF '"gone": "/forever/1"' "$C/tls.log" || fail "the call goes on"

audit_verifies
no_leak
