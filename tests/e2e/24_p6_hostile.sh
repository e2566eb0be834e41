# P6: hostile requests by every way there is into the proxy: none reaches a
# service with a value, each has its own code, and the tripwires end the task.
. "$SRC/tests/e2e/lib.sh"
. "$SRC/tests/e2e/proxy_lib.sh"

authority good DNS:localhost,IP:127.0.0.1
roots good '[http]\nrequest_s = 2\n'
service one
ONE=http://127.0.0.1:$PORT
service two
TWO=http://127.0.0.1:$PORT
service tls "$C/good-leaf.pem" "$C/good-leaf.key"
TLS=localhost:$PORT
service target
TARGET=http://127.0.0.1:$PORT
service hostile hostile_service.py "$TARGET"
HOSTILE=http://127.0.0.1:$PORT
vault
VALUE=$(canary sk-proxy-)
printf %s "$VALUE" | auth-guard put api/key --min-grade proxy >"$C/out" || fail put
printf %s "$(canary sk-other-)" | auth-guard put api/other >"$C/out" || fail put
cp "$SRC"/tests/e2e/proxy_hostile.py "$SRC"/tests/e2e/proxy_tripwire.py "$TREE/"
P1="secret=ag://api/key,upstream=$ONE,url-env=API_URL,key-env=API_KEY,inner"
P2="secret=ag://api/other,upstream=$TWO,url-env=OTHER_URL,inner"
P3="secret=ag://api/key,upstream=https://$TLS,key-env=API_KEY,inner"
J="secret=ag://api/key,upstream=$ONE/j,url-env=API_URL,key-env=API_KEY,json=/auth/key,inner"
J3="secret=ag://api/key,upstream=https://$TLS,key-env=API_KEY,json=/auth/key,inner"

hostile() { # WHAT WAY [json] -- OPTION…
    local what=$1 args=()
    shift
    while [ "$1" != -- ]; do
        args+=("$1")
        shift
    done
    shift
    run auth-guard run "$@" -- sh -c \
        'API_URL=${API_URL:-$0} exec python3 "$@"' "https://$TLS" "$TREE/proxy_hostile.py" "${args[@]}"
    [ $RC -eq 0 ] || fail "$what: $OUT $ERR"
    say "$what: $OUT"
}
say "each refused with its code, none sent"
hostile "isolated, by the relay" relay -- --proxy "$P1"
hostile "by task.sock" unix -- --no-isolate --proxy "$P1"
hostile "in TLS that ends here" tls -- --proxy "$P3"
hostile "a field of a body" relay json -- --proxy "$J"
hostile "the same in TLS" tls json -- --proxy "$J3"
saw_nothing one
saw_nothing tls

say "a placeholder where it must not be ends the task"
ok auth-guard run --proxy "$P1" -- sh -c 'printf %s "$API_KEY"'
ENDED=$OUT
[[ $ENDED == sk-* ]] || fail "no placeholder: $ENDED"
auth-guard run --name owner --proxy "$P1" -- sh -c 'printf %s "$API_KEY" >"$0"; sleep 300' \
    "$TREE/live" >/dev/null 2>&1 &
OWNER=$!
within 10 test -s "$TREE/live" || fail "no placeholder"
tripped=0
trips() { # CODE CASE STOLEN OPTION…: of a task that it must end
    local code=$1 case=$2 stolen=$3
    shift 3
    # On a busy machine its end may come before it has printed what it was told.
    for _ in 1 2 3; do
        run auth-guard run "$@" -- env STOLEN="$stolen" TLS_AT="$TLS" \
            python3 "$TREE/proxy_tripwire.py" "$case"
        [ -z "$OUT" ] || break
    done
    [ "${OUT%% *}" = code ] && [ "$OUT" = "code $code" ] || fail "$case: $OUT $ERR, not $code"
    [ $RC -eq 137 ] && [[ $ERR == *'was ended: alarm'* ]] || fail "$case: the task went on: $RC $ERR"
    audit_has redact.tripwire "$code"
    tripped=$((tripped + 1))
}
for kind in header lower wrong-header cookie password user path query bad-path bad-method unknown \
    token-place; do
    trips ended_placeholder "$kind" "$ENDED" --proxy "$P1"
done
for kind in header wrong-header user path; do
    trips ended_placeholder "tls-$kind" "$ENDED" --proxy "$P3" --proxy "$P2"
done
for kind in header cookie user path query unknown; do
    trips wrong_host "other-$kind" "" --proxy "$P1" --proxy "$P2"
done
trips foreign_placeholder body-split "$(cat "$TREE/live")" --proxy "$P1"
wait $OWNER && fail "the task it was taken from went on"
run auth-guard run --proxy "$P1" -- python3 "$TREE/proxy_tripwire.py" search
[[ $RC -eq 137 && $OUT == '10 '*'wrong_place token_revoked' ]] || fail "a search: $RC $OUT $ERR"
say "$((tripped + 1)) tasks ended"
saw_nothing one
saw_nothing two
saw_nothing tls

say "in the text of a body one that has ended is history: recorded, and passed"
told() { # CASE OPTION…
    local case=$1
    shift
    ok auth-guard run "$@" -- env STOLEN="$ENDED" TLS_AT="$TLS" TOLD="/told/$case" \
        python3 "$TREE/proxy_tripwire.py" "$case"
    [ "$OUT" = code ] || fail "$case: $OUT $ERR"
    audit_has redact.tripwire ended_placeholder '"found":"body"' "\"task\":$(auth-guard task list --json | jq -r '[.tasks[].id|tonumber]|max')"
}
for kind in body body-split body-late; do
    told "$kind" --proxy "$P1"
    saw one "/told/$kind"
done
told tls-body-split --proxy "$P3" --proxy "$P2"
saw tls /told/tls-body-split

say "one connection, many hosts: each request on its own"
run auth-guard run --proxy "$P1" --proxy "$P2" -- python3 "$TREE/proxy_tripwire.py" reuse
[ "$OUT" = "codes 200 unknown_service 200 wrong_host token_revoked" ] || fail "$OUT $ERR"
saw one /reuse/2
saw_not one /tripped
saw_nothing two

say "a slow request is ended"
cat >"$TREE/slow.py" <<'T'
import os, re, socket, time
host, port, base = re.match(r"http://([^:]+):(\d+)(/.*)", os.environ["API_URL"]).groups()
head = f"POST {base}/slow HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {os.environ['API_KEY']}\r\n"
for text in (head + "X-A: " + "a" * 400, head + "Content-Length: 400\r\n\r\n" + "a" * 399):
    s = socket.create_connection((host, int(port)), timeout=10)
    begun, data = time.monotonic(), b""
    s.settimeout(0.1)
    s.sendall(text[:-100].encode())
    for c in text[-100:]:
        try:
            s.sendall(c.encode())
            data += s.recv(4096)
        except TimeoutError:
            pass
        except OSError:
            break
        if data:
            break
    print(re.findall(rb'"code": ?"(\w+)"', data), time.monotonic() - begun < 8)
T
ok auth-guard run --proxy "$P1" -- python3 "$TREE/slow.py"
[ "$(grep -c "\[b'request_timeout'\] True" <<<"$OUT")" -eq 2 ] || fail "slow: $OUT $ERR"
saw_not one /slow

say "a name that leads inside, where that was not said"
ok auth-guard run --proxy "secret=ag://api/other,upstream=https://$TLS,url-env=API_URL,key-env=API_KEY" -- \
    sh -c 'curl -sS -m 20 -H "Authorization: Bearer $API_KEY" "$API_URL/inside"'
has "$OUT" address_refused
saw_not tls /inside

say "answers that break the rules: no byte of the value, no redirect followed"
cat >"$TREE/answers.py" <<'T'
import os, re, socket, sys
host, port, base = re.match(r"http://([^:]+):(\d+)(/.*)", os.environ["API_URL"]).groups()
for name in sys.argv[1:]:
    s = socket.create_connection((host, int(port)), timeout=20)
    s.sendall(f"GET {base}/{name} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
              f"Authorization: Bearer {os.environ['API_KEY']}\r\n\r\n".encode())
    data = b""
    while part := s.recv(65536):
        data += part
    status = data[9:12].decode() or "0"
    code = re.findall(rb'"code": ?"(\w+)"', data)
    print(f"CASE {name} {code[0].decode() if code else status}")
    print(data.decode("latin-1"))
T
H="secret=ag://api/key,upstream=$HOSTILE,url-env=API_URL,key-env=API_KEY,inner"
answers() { # WANT NAME…
    local want=$1 name
    shift
    # Outside of the filter of what a task prints, which would hide a miss.
    run auth-guard run --proxy "$H" -- sh -c 'exec python3 "$@" >"$0"' "$TREE/got" "$TREE/answers.py" "$@"
    [ $RC -eq 0 ] || fail "answers: $RC $ERR"
    for name in "$@"; do
        grep -qaE "^CASE $name ($want)\$" "$TREE/got" || fail "$name: $(head -c 1200 "$TREE/got")"
        grep -qF "/$name" "$C/hostile.log" || fail "$name was not asked for"
    done
    ! grep -qaF "$VALUE" "$TREE/got" || fail "the value is in an answer: $(grep -aF "$VALUE" "$TREE/got" | cut -c1-200)"
    ! tr -d '\r\n ' <"$TREE/got" | grep -qaiF "$(printf %s "$VALUE" | od -An -tx1 | tr -d ' \n')" || fail "the value in hex"
    ! grep -qaF "${VALUE:0:24}" "$TREE/got" || fail "a part of the value is in an answer"
}
answers 301 301
has "$(tr -d '\r' <"$TREE/got")" "Location: $TARGET/to?k=[redacted]"
answers 302 302
answers 307 307
answers 308 308
has "$(tr -d '\r' <"$TREE/got")" "Location: $TARGET/plain"
answers 401 401
answers 200 reason hints trailer extension cookie hop split upper named twice
answers encoded_answer te
answers 200 coded coded-twice
[ "$(grep -c '^\[redacted\]' "$TREE/got")" -eq 2 ] || fail "not decoded: $(cat "$TREE/got")"
answers partial_answer part
answers upstream_broken lengths both switch none old huge nul bare folded
answers 'upstream_broken|200' chunk short # or cut off where they break
saw_nothing target

audit_verifies
no_leak
