# P3: the broker refreshes logins. Whoever asks and however often, it is one
# call; new tokens are in the vault before they are used; a login that the
# service refuses for good says so; no failure of the service loses one.
. "$SRC/tests/e2e/lib.sh"

O=$C/oauth
mkdir -p "$O"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj /CN=own -keyout "$C/ca.key" -out "$C/ca.pem" 2>/dev/null &&
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=127.0.0.1 \
        -keyout "$C/leaf.key" -out "$C/leaf.csr" 2>/dev/null &&
    openssl x509 -req -in "$C/leaf.csr" -CA "$C/ca.pem" -CAkey "$C/ca.key" -days 2 \
        -extfile <(echo subjectAltName=IP:127.0.0.1) -out "$C/leaf.pem" 2>/dev/null ||
    fail "no certificates"
conf=$HOME/.config/auth-guard
mkdir -p "$conf/profiles" && chmod 700 "$HOME/.config" "$conf" "$conf/profiles"
cp "$C/ca.pem" "$HOME/roots.pem"
printf '[upstream]\nca_file = %s\n' "$HOME/roots.pem" >"$conf/settings.ini"
mkdir -p "$C/bin"

# A login whose access token ends in $1 seconds, as $O/login.
login() {
    python3 - "$O" "$1" <<'T'
import base64, json, os, secrets, sys, time
d, ttl = sys.argv[1], int(sys.argv[2])
part = lambda o: base64.urlsafe_b64encode(json.dumps(o).encode()).rstrip(b"=").decode()
access = ".".join([part({"alg": "RS256", "typ": "JWT"}),
                   part({"exp": int(time.time()) + ttl, "sub": "me"}), secrets.token_urlsafe(192)])
refresh = "rt_" + secrets.token_urlsafe(48)
open(d + "/refresh", "w").write(refresh)
open(d + "/access", "w").write(access)
open(d + "/canaries", "a").write(access + "\n" + refresh + "\n")
json.dump({"tokens": {"access_token": access, "refresh_token": refresh}, "last_refresh":
           time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}, open(d + "/login", "w"))
T
}
SERVICE=
service() { # with the tokens of $O/login
    [ -z "$SERVICE" ] || { kill "$SERVICE"; wait "$SERVICE" 2>/dev/null; }
    rm -f "$O/port" "$O/log" "$O/mode"
    python3 "$SRC/tests/e2e/refresh_service.py" "$O" "$C/leaf.pem" "$C/leaf.key" \
        >"$C/service.out" 2>&1 &
    SERVICE=$!
    at_end "kill $SERVICE"
    within 10 test -s "$O/port" || fail "the service does not start: $(cat "$C/service.out")"
    HOST=127.0.0.1:$(cat "$O/port")
}
refreshes() { grep -c '"what": "refresh"' "$O/log" 2>/dev/null || true; }
control() { curl -sS -f -m 10 -X POST --cacert "$C/ca.pem" "https://$HOST/control/$1" >/dev/null; }

profile() {
    cat >"$conf/profiles/mock.json" <<T
{"profile": 1, "name": "mock", "title": "mock", "kind": "login", "secret": "mock/default",
 "min_grade": "proxy",
 "files": [{"path": "~/.mock/auth.json", "format": "json", "rewrite": "rename",
   "secrets": ["/tokens/access_token", "/tokens/refresh_token"]}],
 "places": [{"hosts": ["api.example.invalid"], "field": "/tokens/access_token", "in": "header",
   "name": "Authorization", "format": "Bearer {}"}],
 "refresh": {"url": "https://${1-$HOST}/oauth/token", "body": "json", "client_id": "app",
   "refresh_field": "/tokens/refresh_token", "access_field": "/tokens/access_token",
   "expiry": "jwt", "expiry_field": "/tokens/access_token", "stamp_field": "/last_refresh",
   "replaces": [{"member": "access_token", "field": "/tokens/access_token"},
     {"member": "refresh_token", "field": "/tokens/refresh_token"}],
   "permanent": ["refresh_token_expired", "refresh_token_reused"]}}
T
    chmod 600 "$conf/profiles/mock.json"
}
reloaded() { # profiles are read at the start
    ok auth-guard stop
    within 5 broker_gone || fail "the broker did not stop"
    ok auth-guard unlock
    ok auth-guard profiles --trust mock
}
new_login() { # NAME TTL: another login, the only one that the service knows
    login "$2"
    service
    profile
    reloaded
    auth-guard put "$1" --profile mock <"$O/login" >"$C/out" 2>&1 || fail "put: $(cat "$C/out")"
    W="secret=ag://$1#/tokens/access_token,upstream=https://$HOST,url-env=URL,key-env=KEY,inner"
}
version() { auth-guard list --json | jq -r --arg n "$1" '.secrets[] | select(.name == $n) | .version'; }
call='curl -sS -m 30 -H "Authorization: Bearer $KEY" "$URL/api/x"'

login 3600
service
vault
say "an ended token, eight clients in four tasks: one refresh"
new_login one/login -60
echo slow >"$O/mode"
pids=()
for i in 1 2 3 4; do
    auth-guard run --proxy "$W" -- sh -c "$call >one.$i.a & $call >one.$i.b; wait" \
        >"$C/run.$i" 2>&1 &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || fail "a task failed: $(cat "$C"/run.*)"; done
for i in 1 2 3 4; do
    has "$(cat one.$i.a)" '"good": true'
    has "$(cat one.$i.b)" '"good": true'
done
rm -f one.*
[ "$(refreshes)" -eq 1 ] || fail "$(refreshes) refreshes"
[ "$(version one/login)" = 2 ] || fail "version $(version one/login)"
! grep -q '"good": false' "$O/log" || fail "an ended token was sent"
audit_has login.refreshed one/login

say "the answers are the task's: no token in them"
ok auth-guard run --proxy "$W" -- sh -c "$call"
has "$OUT" '[redacted]'
[ "$(refreshes)" -eq 1 ] || fail "a fresh token was refreshed"

say "a 401 in the middle: refreshed once, sent again once, with its body"
new_login two/login 3600
ok auth-guard run --proxy "$W" -- sh -c "$call"
has "$OUT" '"good": true'
[ "$(refreshes)" -eq 0 ] || fail "refreshed without need"
control revoke
head -c 30000 /dev/zero | tr '\0' x >"$HOME/work/body"
ok auth-guard run --proxy "$W" -- sh -c 'curl -sS -m 30 -H "Authorization: Bearer $KEY" \
    -H "Expect:" --data-binary @body "$URL/api/x"'
has "$OUT" '"good": true'
has "$OUT" '"bytes": 30000'
[ "$(refreshes)" -eq 1 ] || fail "$(refreshes) refreshes"
[ "$(grep -c '"good": false' "$O/log")" -eq 1 ] || fail "not one refusal"

say "one that can't be sent again is passed on; so is a second one at once"
control revoke
ok auth-guard run --proxy "$W" -- sh -c "$call"
has "$OUT" '"good": false'
[ "$(refreshes)" -eq 1 ] || fail "a task makes the broker call as it likes"
new_login three/login 3600
control revoke
head -c 300000 /dev/zero | tr '\0' 'x\n' >"$HOME/work/long"
ok auth-guard run --proxy "$W" -- sh -c 'curl -sS -m 30 -H "Authorization: Bearer $KEY" \
    -H "Expect:" --data-binary @long "$URL/api/x"'
has "$OUT" '"good": false'
[ "$(refreshes)" -eq 0 ] || fail "refreshed for nothing"

say "the refresh address answers with placeholders, and a task's word for a 401"
ok auth-guard run --proxy "$W" -- sh -c 'printf "KEY %s\n" "$KEY"
    curl -sS -i -m 30 -H "Content-Type: application/json" \
    -d "{\"grant_type\":\"refresh_token\",\"refresh_reason\":\"unauthorized_recovery\",\"refresh_token\":\"$KEY\"}" \
    "$URL/oauth/token"; echo; '"$call"
has "$OUT" 'HTTP/1.1 200'
has "$OUT" '"token_type":"Bearer"'
has "$OUT" '"good": true'
[ "$(refreshes)" -eq 1 ] || fail "$(refreshes) refreshes"
got=$(grep -o '"access_token":"[^"]*"' <<<"$OUT" | cut -d'"' -f4)
[[ $got == eyJ*.*.* ]] || fail "no placeholder: $OUT"
while read -r token; do
    hasnt "$OUT" "$token" "an answer"
done <"$O/canaries"
ok auth-guard run --proxy "$W" -- sh -c 'curl -sS -m 30 -d "{}" "$URL/oauth/token" |
    sed "s/.*\"access_token\":\"\([^\"]*\)\".*/\1/" >new; KEY=$(cat new); rm new; '"$call"
has "$OUT" '"good": true'
ok auth-guard run --proxy "$W" -- sh -c \
    'head -c 100000 /dev/zero | curl -sS -m 30 --data-binary @- "$URL/oauth/token"'
has "$OUT" '"limit"'
[ "$(refreshes)" -eq 1 ] || fail "$(refreshes) refreshes"

say "whatever the service answers: the login is kept, and tried again"
for mode in 500 garbage huge cut; do
    new_login "kept/$mode" -60
    echo $mode >"$O/mode"
    ok auth-guard run --proxy "$W" -- sh -c "$call; $call"
    has "$OUT" refresh_failed
    [ "$(refreshes)" -eq 1 ] || fail "$mode: $(refreshes) refreshes without a pause"
    rm "$O/mode"
    audit_has login.refresh_failed "kept/$mode"
    [ "$(version kept/$mode)" = 1 ] || fail "$mode: stored"
    works() {
        auth-guard run --proxy "$W" -- sh -c "$call --data-binary @body" |
            grep -q '"good": true, "bytes": 30000'
    }
    within 15 works || fail "$mode: not tried again"
    [ "$(version kept/$mode)" = 2 ] || fail "$mode: version $(version kept/$mode)"
done

say "tokens that can't be kept are asked for once"
new_login spent/login -60
echo spent >"$O/mode"
ok auth-guard run --proxy "$W" -- sh -c "$call; $call; sleep 3; $call"
has "$OUT" needs_login
has "$OUT" "can't be kept"
hasnt "$OUT" refresh_failed "the answers"
[ "$(refreshes)" -eq 1 ] || fail "$(refreshes) refreshes"
rm "$O/mode"
audit_has login.needed spent/login unusable_answer
has "$(auth-guard list)" 'needs login (unusable_answer)'
ok auth-guard exposure spent/login
has "$OUT$ERR" 'could not be kept'
ok auth-guard rm --yes spent/login

say "a token that has not ended goes on while the service is down"
new_login four/login 40
control ttl/40
sleep 0.1
echo 500 >"$O/mode"
ok auth-guard run --proxy "$W" -- sh -c "$call"
has "$OUT" '"good": true'

say "refused for good: all who wait hear it, nobody calls again"
new_login five/login -60
echo denied >"$O/mode"
ok auth-guard run --proxy "$W" -- sh -c "$call & $call & $call; wait"
[ "$(grep -o '"code":"needs_login"' <<<"$OUT" | wc -l)" -eq 3 ] || fail "not three: $OUT"
has "$OUT" 'auth-guard adopt'
ok auth-guard run --proxy "$W" -- sh -c "$call; "'curl -sS -i -m 30 -d "{}" "$URL/oauth/token"'
has "$OUT" needs_login
has "$OUT" '"error":"refresh_token_expired"'
[ "$(refreshes)" -eq 1 ] || fail "$(refreshes) refreshes"
has "$(auth-guard list)" 'needs login'
has "$(auth-guard list --json)" '"needs_login"'
has "$(auth-guard status)" 'new login'
has "$(auth-guard exposure five/login 2>&1)" 'needs login'
audit_has login.needed refresh_token_expired five/login
ok auth-guard stop
within 5 broker_gone
ok auth-guard unlock
ok auth-guard run --proxy "$W" -- sh -c "$call"
has "$OUT" needs_login
[ "$(refreshes)" -eq 1 ] || fail "asked again after a restart"

say "until there is a new one"
new_login five/login 3600
hasnt "$(auth-guard list)" 'needs login' "the list"
ok auth-guard run --proxy "$W" -- sh -c "$call"
has "$OUT" '"good": true'

say "the broker killed between the service's answer and the client's"
new_login six/login -60
auth-guard run --proxy "$W" -- sh -c 'curl -sS -m 30 -H "Authorization: Bearer $KEY" "$URL/api/hold"' \
    >"$C/held" 2>&1 &
held=$!
within 10 grep -q '"path": "/api/hold", "good": true' "$O/log" || fail "not called: $(cat "$O/log")"
kill_broker
wait $held && fail "the task went on without a broker"
within 5 broker_gone
ok auth-guard unlock
ok auth-guard profiles --trust mock
ok auth-guard run --proxy "$W" -- sh -c "$call"
has "$OUT" '"good": true'
[ "$(refreshes)" -eq 1 ] || fail "$(refreshes) refreshes"
[ "$(version six/login)" = 2 ] || fail "version $(version six/login)"

say "by schedule: what the rule says is one refresh, on the journal"
new_login eight/login 3600
ok auth-guard run --proxy "$W" -- true # an inner address is the person's word
refused 'no parameters' auth-guard rotate rule set --every 1d --rotator oauth2 --length 40 eight/login
refused 'grace' auth-guard rotate rule set --every 1d --rotator oauth2 --grace 1h eight/login
ok auth-guard rotate rule set --every 1d --rotator oauth2 eight/login
ok auth-guard rotate --dry-run eight/login
has "$OUT" 'refresh (oauth2)'
ok auth-guard rotate eight/login
has "$OUT" 'takes 1 no more'
[ "$(refreshes)" -eq 1 ] && [ "$(version eight/login)" = 2 ] || fail "$(refreshes), version $(version eight/login)"
ended() { auth-guard rotate log "$1" --json | jq -r '.rotations[0] | .state + " " + .code'; }
[ "$(ended eight/login)" = 'done ' ] || fail "the journal: $(ended eight/login)"
ok auth-guard run --proxy "$W" -- sh -c "$call"
has "$OUT" '"good": true'
[ "$(refreshes)" -eq 1 ] || fail "$(refreshes) refreshes"

say "its answer lost: the token sent again is refused for good, a person is told"
echo lost >"$O/mode"
run auth-guard rotate eight/login
[ $RC -eq 3 ] || fail "lost: exit $RC $OUT $ERR"
rm "$O/mode"
person() { run auth-guard rotate "$1"; [ $RC -eq 4 ]; }
within 15 person eight/login || fail "replayed: exit $RC $OUT $ERR"
has "$OUT" 'refresh_token_reused: the service wants a new login'
[ "$(ended eight/login)" = 'abandoned refresh_token_reused' ] || fail "the journal: $(ended eight/login)"
has "$(auth-guard list)" 'needs login (refresh_token_reused)'
calls=$(refreshes)
run auth-guard rotate --due
[ $RC -eq 0 ] && [ -z "$OUT" ] || fail "told again within the interval: $RC $OUT"
person eight/login || fail "exit $RC $OUT $ERR"
[ "$(refreshes)" -eq "$calls" ] || fail "the service was asked again"
new_login eight/login 3600
ok auth-guard run --proxy "$W" -- true
ok auth-guard rotate eight/login
[ "$(ended eight/login)" = 'done ' ] || fail "the journal: $(ended eight/login)"

say "the broker killed before the answer came: the same, once it is back"
echo late >"$O/mode"
auth-guard rotate eight/login >"$C/out" 2>&1 &
rotating=$!
one_more() { [ "$(refreshes)" -eq 2 ]; }
within 10 one_more || fail "not called"
kill_broker
wait $rotating && fail "rotated without a broker"
rm "$O/mode"
within 5 broker_gone
ok auth-guard unlock
has "$OUT$ERR" 'rotation(s) are under way'
ok auth-guard profiles --trust mock
person eight/login || fail "killed: exit $RC $OUT $ERR"
[ "$(ended eight/login)" = 'abandoned refresh_token_reused' ] || fail "the journal: $(ended eight/login)"

say "a profile that changed sends the token nowhere"
new_login seven/login -60
thief=$O/thief
mkdir -p "$thief"
cp "$O/refresh" "$thief/refresh"
python3 "$SRC/tests/e2e/refresh_service.py" "$thief" "$C/leaf.pem" "$C/leaf.key" >/dev/null 2>&1 &
at_end "kill $!"
within 10 test -s "$thief/port" || fail "no second service"
profile "127.0.0.1:$(cat "$thief/port")"
ok auth-guard stop
within 5 broker_gone
ok auth-guard unlock
ok auth-guard run --proxy "$W" -- sh -c "$call"
has "$OUT" denied
ok auth-guard profiles --trust mock
ok auth-guard run --proxy "$W" -- sh -c "sleep 2; $call"
has "$OUT" '"good": true'
[ "$(refreshes)" -eq 1 ] || fail "$(refreshes) refreshes at the sealed address"
[ ! -s "$thief/log" ] || fail "the refresh token was sent elsewhere"

audit_verifies
cat "$O/canaries" >>"$C/canaries"
no_leak
