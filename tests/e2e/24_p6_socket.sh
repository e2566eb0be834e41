# P6: WebSockets through the reverse proxy, and where TLS ends at the broker: a
# decision for the handshake, the value in it, and in no message that comes back.
. "$SRC/tests/e2e/lib.sh"
. "$SRC/tests/e2e/proxy_lib.sh"

authority good DNS:localhost,IP:127.0.0.1
roots good
service one socket_service.py "$C/good-leaf.pem" "$C/good-leaf.key"
vault
VALUE=$(canary sk-socket-)
printf %s "$VALUE" | auth-guard put api/key --min-grade proxy >"$C/out" || fail put
BROKER=$(broker_pid)
cp "$SRC/tests/e2e/socket_client.py" "$TREE/client.py"
P="secret=ag://api/key,upstream=https://localhost:$PORT,key-env=API_KEY,inner"

client() { # WORD…
    if [ "$WAY" = reverse ]; then
        run auth-guard run --proxy "$P,url-env=API_URL" -- sh -c \
            "python3 $TREE/client.py \"ws\${API_URL#http}\" $*"
    else
        run auth-guard run --proxy "$P" -- sh -c "unset NO_PROXY no_proxy; \
            VIA=connect python3 $TREE/client.py wss://localhost:$PORT $*"
    fi
}

live() { # a task that runs on, its placeholder in $TREE/live; its number in $LIVEID
    rm -f "$TREE/live" "$TREE/end"
    auth-guard run --name live --proxy "$P" -- sh -c \
        "printf %s \"\$API_KEY\" >$TREE/live; sleep 600; echo \"sleep: \$?\" >$TREE/end" \
        >"$C/live.out" 2>&1 &
    LIVE=$!
    at_end "kill $LIVE"
    within 10 test -s "$TREE/live" || fail "no placeholder"
    LIVEID=$(auth-guard task list --json |
        jq '[.tasks[] | select(.name == "live" and .running)][0].id | tonumber')
}

for WAY in reverse connect; do
    say "the value goes into the handshake, and out of messages ($WAY)"
    client text binary fragments ping close
    has "$OUT" "text 'you are Bearer [redacted]'"
    has "$OUT" 'binary b'
    has "$OUT" 'Bearer [redacted]\x00'
    has "$OUT" "fragments 'you are Bearer [redacted] indeed'"
    has "$OUT" "ping 'pinged'"
    has "$OUT" 'close 4321 Bearer [redacted]'
    hasnt "$OUT$ERR" "$VALUE" "a message"
    saw one "Bearer $VALUE"
    audit_has secret.read '"verb":"proxy"' api/key

    say "a thousand messages both ways, long ones, in fragments ($WAY)"
    client thousand big
    has "$OUT" 'thousand 1000'
    has "$OUT" 'big passed'
    saw_not one 'permessage-deflate'

    say "what is no frame of a service ends it ($WAY)"
    begun=$(date +%s%N)
    client masked reserved drop
    took=$((($(date +%s%N) - begun) / 1000000))
    has "$OUT" 'masked closed 1002'
    has "$OUT" 'reserved closed 1002'
    has "$OUT" 'drop closed None' # it only closed the connection
    [ $took -lt 8000 ] || fail "it took $took ms"

    say "a refused one is an ordinary answer ($WAY)"
    client service keyless
    has "$OUT" 'service 403'
    has "$OUT" 'keyless 401'

    say "a slow client holds the service back, the broker stays small ($WAY)"
    before=$(awk '/VmRSS/{print $2}' "/proc/$BROKER/status")
    client slow=2
    has "$OUT" 'slow got all'
    grew=$(($(awk '/VmRSS/{print $2}' "/proc/$BROKER/status") - before))
    [ $grew -lt 8192 ] || fail "the broker grew by $grew KiB"
    say "tried: 250 MiB to a client that waits: grew by $grew KiB"

    say "a placeholder of another task's in a message ends the task ($WAY)"
    run auth-guard run --proxy "$P" -- sh -c "printf %s \"\$API_KEY\" >$TREE/past"
    client "stray=$TREE/past"
    has "$OUT" 'stray passed' # of one that has ended: history
    audit_has redact.tripwire ended_placeholder '"found":"body"'
    for word in stray crowd; do # crowd: behind many of its own
        live
        client "$word=$TREE/live"
        # It still ran when it was seen: the end of both is by this alarm.
        [[ $OUT != *'stray passed'* ]] || fail "it went out: $(cat "$C/live.out" "$TREE/end") \
            $(auth-guard task show "$LIVEID"; auth-guard audit tail)"
        has "$OUT$ERR" 'the task was ended: alarm'
        audit_has redact.tripwire foreign_placeholder "\"owner\":$LIVEID"
        wait $LIVE && fail "the task it is of went on"
        has "$(cat "$C/live.out")" 'the task was ended: alarm'
        saw_not one "$(cat "$TREE/live")"
    done

    say "it ends with its task ($WAY)"
    rm -f "$TREE/here"
    client "stay=$TREE/here" >"$C/stay.out" 2>&1 &
    at_end "kill $! 2>/dev/null"
    within 20 test -s "$TREE/here" || fail "no socket"
    : >"$C/one.log"
    task=$(auth-guard task list --json | jq -r '[.tasks[] | select(.running)][0].id')
    begun=$(date +%s%N)
    ok auth-guard task end "$task"
    within 5 grep -qF '"end"' "$C/one.log" || fail "the socket goes on"
    took=$((($(date +%s%N) - begun) / 1000000))
    [ $took -lt 2000 ] || fail "it took $took ms"
    say "tried: the socket ends $took ms after its task"
done

for WAY in reverse connect; do
    say "a lock ends it ($WAY)"
    rm -f "$TREE/here"
    client "stay=$TREE/here" >"$C/stay.out" 2>&1 &
    CLIENT=$!
    at_end "kill $CLIENT 2>/dev/null"
    within 20 test -s "$TREE/here" || fail "no socket: $(cat "$C/stay.out")"
    : >"$C/one.log"
    begun=$(date +%s%N)
    ok auth-guard lock
    within 5 grep -qF '"end"' "$C/one.log" || fail "the socket goes on"
    took=$((($(date +%s%N) - begun) / 1000000))
    [ $took -lt 2000 ] || fail "it took $took ms"
    say "tried: the socket ends $took ms after the lock"
    within 10 eval "! kill -0 $CLIENT 2>/dev/null" || fail "the task goes on"
    ok auth-guard unlock
done

say "a path that the value does not go to"
printf %s "$(canary sk-paths-)" | auth-guard put api/paths >"$C/out" || fail put
P2="secret=ag://api/paths,upstream=https://localhost:$PORT/only,key-env=API_KEY,inner"
run auth-guard run --proxy "$P2,url-env=API_URL" -- sh -c \
    "u=\${API_URL%/only}; python3 $TREE/client.py \"ws\${u#http}\" path"
has "$OUT" 'path 403'
run auth-guard run --proxy "$P2" -- sh -c "unset NO_PROXY no_proxy; \
    VIA=connect python3 $TREE/client.py wss://localhost:$PORT path"
has "$OUT" 'path 403'
saw_not one '/other/socket'

say "other upgrades are refused, by their own code; h2c is only an offer"
cat >"$TREE/upgrade.sh" <<'T'
ask() { curl -sS -m 20 -H "Authorization: Bearer $API_KEY" -H 'Connection: Upgrade' "$@"; }
ask -H 'Upgrade: tls/1.0' "$API_URL/a"
ask -H 'Upgrade: websocket, other' "$API_URL/b"
ask -H 'Upgrade: websocket' -d x "$API_URL/c"
ask -H 'Upgrade: h2c' -w '%{http_code}' "$API_URL/offer"
T
run auth-guard run --proxy "$P,url-env=API_URL" -- sh "$TREE/upgrade.sh"
[ "$(grep -o '"code":"upgrade_refused"' <<<"$OUT" | wc -l)" -eq 3 ] || fail "$OUT"
hasnt "$OUT" h2c

say "stopping the broker ends it too"
rm -f "$TREE/here"
WAY=reverse
client "stay=$TREE/here" >"$C/stay.out" 2>&1 &
at_end "kill $! 2>/dev/null"
within 20 test -s "$TREE/here" || fail "no socket"
begun=$(date +%s%N)
ok auth-guard stop
within 10 broker_gone || fail "the broker goes on"
took=$((($(date +%s%N) - begun) / 1000000))
[ $took -lt 4000 ] || fail "it took $took ms"
ok auth-guard unlock
audit_verifies
no_leak
