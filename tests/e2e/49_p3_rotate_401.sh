# P3: a credential that its service refuses after a rotation is taken back while
# the old one is observed, if the check at the service says so; a task's word alone
# takes nothing back. And the broker does by itself what is due, if it is told to.
. "$SRC/tests/e2e/rotation_lib.sh"

# ---- the service takes what works, by the same file as the program ----
cat >"$C/answers.py" <<'END'
import http.server, sys
class Service(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_GET(self):
        bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        with open(sys.argv[1]) as f:
            good = bearer in [l.split()[1] for l in f if len(l.split()) == 2]
        self.send_response(200 if good and self.path == "/x" else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(s.server_port, flush=True)
s.serve_forever()
END
python3 "$C/answers.py" "$service" >"$C/port" 2>"$C/http.err" &
at_end "kill $!"
within 10 test -s "$C/port" || fail "no service: $(cat "$C/http.err")"
U="upstream=http://127.0.0.1:$(cat "$C/port"),inner"
W="secret=ag://svc/key,$U,url-env=URL,key-env=KEY"
calls_it() { # PATH
    ok auth-guard run --proxy "$W" -- sh -c 'curl -sS -m 20 -o /dev/null -w "%{http_code}" -H "Authorization: Bearer $KEY" "$URL'"$1"'"'
}

ok auth-guard rotate program add --limit 10s svc "$C/rotator"
begin
old=$(current)
ok auth-guard rotate rule set --every 30d --grace 1h --rotator command --program svc --generate svc/key
ok auth-guard rotate svc/key
note_values
new=$(current)
[ "$(state)" = observing ] || fail "not observed: $(state)"
calls_it /x
[ "$OUT" = 200 ] || fail "the new one does not work: $OUT"

# The service drops the new one by itself; the old one works. The request has
# another secret too, before that one.
canary | auth-guard put svc/other >/dev/null 2>&1 || fail put
calls_with_both() {
    ok auth-guard run --proxy "secret=ag://svc/other,$U,url-env=OTHER,key-env=FIRST,header=X-Other" --proxy "$W" -- sh -c 'curl -sS -m 20 -o /dev/null -w "%{http_code}" -H "X-Other: $FIRST" -H "Authorization: Bearer $KEY" "$URL/x"'
}
grep -v -- " $new\$" "$service" >"$service.new"
mv "$service.new" "$service"
calls_with_both
[ "$OUT" = 401 ] || fail "no 401: $OUT"
is_back() { [ "$(state)" = undone ] && [ "$(current)" = "$old" ]; }
within 10 is_back || fail "not taken back: $(state), $(auth-guard rotate log svc/key)"
calls_it /x
[ "$OUT" = 200 ] || fail "the old one does not work: $OUT"
audit_has rotation.act recheck_old
say "refused in use, and dead by the check: taken back, the task's next request works"

# A service that says 401 as the task likes, while the credential works. (A
# secret is looked after once in a minute; a broker anew has seen none.)
ok auth-guard stop
start_broker
broker_pid >"$service.broker"
ok auth-guard rotate svc/key
note_values
new=$(current)
: >"$calls"
calls_it /says-401
[ "$OUT" = 401 ] || fail "no 401: $OUT"
within 10 grep -q '^verify' "$calls" || fail "nobody looked after it"
sleep 0.3
[ "$(state)" = observing ] && [ "$(current)" = "$new" ] || fail "a task's word took it back: $(state)"
say "a 401 alone: the check is asked, nothing is taken back"

# ---- without cron ----
canary | auth-guard put due/one >/dev/null 2>&1 || fail put
ok auth-guard rotate rule set --every 1s due/one
done_count() { auth-guard rotate log due/one --json | jq '.rotations | length'; }
sleep 1.5
[ "$(done_count)" -eq 0 ] || fail "rotated without being asked"
mkdir -p "$HOME/.config/auth-guard"
chmod 700 "$HOME/.config" "$HOME/.config/auth-guard"
printf '[rotation]\nrun = broker\n' >"$HOME/.config/auth-guard/settings.ini"
ok auth-guard stop
start_broker
is_done() { [ "$(done_count)" -ge 1 ]; }
within 10 is_done || fail "the broker rotates nothing"
say "[rotation] run = broker: what is due is done without cron"
ok auth-guard stop
within 5 broker_gone || fail "the broker does not stop"
start_broker
audit_verifies
no_leak
