# P6: a service that encodes its answers, though nothing is asked for: gzip,
# deflate and zstd are decoded, the filter sees the text, the task gets it
# without coding. What is not whole, or grows without bound, is broken off.
. "$SRC/tests/e2e/lib.sh"
. "$SRC/tests/e2e/proxy_lib.sh"

authority good
roots good
service one proxy_encoded.py
ONE=http://127.0.0.1:$PORT
service tls proxy_encoded.py "$C/good-leaf.pem" "$C/good-leaf.key"
TLS=https://127.0.0.1:$PORT
vault
VALUE=$(canary Sk-Proxy-)
printf %s "$VALUE" | auth-guard put api/key --min-grade proxy >"$C/out" || fail put
P1="secret=ag://api/key,upstream=$ONE,url-env=API_URL,key-env=API_KEY,inner"
P2="secret=ag://api/key,upstream=$TLS,key-env=API_KEY,inner"
BROKER=$(broker_pid)

cat >"$S/call.sh" <<'C'
call() { curl -sS -m 60 -H "Authorization: Bearer $API_KEY" "$@"; }
stamped() { while read -r line; do [ -z "$line" ] || echo "$(date +%s%N) $line"; done; }
C
task() { # SCRIPT [--proxy …]: a task that knows `call`
    printf '. "%s"\n%s\n' "$S/call.sh" "$1" >"$S/task.sh"
    ok auth-guard run --no-isolate --proxy "${2:-$P1}" -- bash "$S/task.sh"
}
logged() { # PATH KEY
    grep -F "\"path\": \"$1\"" "$C/one.log" | tail -n 1 | jq -r ".$2"
}
resident() { awk '/VmRSS/{print $2}' "/proc/$BROKER/status"; }

for coding in gzip deflate raw zstd twice; do
    say "$coding: the text, with the marker where the value stood"
    task 'call -i --compressed "$API_URL/'$coding'/echo"'
    has "$OUT" '{"auth": "Bearer [redacted]", "hex": "[redacted]"}'
    hasnt "$OUT" "$VALUE" "an answer ($coding)"
    hasnt "${OUT,,}" content-encoding "an answer ($coding)"
    has "$OUT" 'Vary: Accept-Encoding'
    has "$OUT" 'ETag: W/"v1"'
    [ "$(logged /$coding/echo auth)" = "Bearer $VALUE" ] || fail "not called"
    [ -z "$(logged /$coding/echo asked)" ] || fail "a coding was asked for"

    say "$coding: a long text, whoever is behind; the broker stays small"
    before=$(resident)
    task 'call --limit-rate 10M "$API_URL/'$coding'/big" | sha256sum
        call "$API_URL/'$coding'/big" | wc -c
        call --limit-rate 1M "$API_URL/'$coding'/wide" | sort | uniq -c'
    has "$OUT" '34000 a line as all the others are'
    has "$OUT" "$(python3 -c 'import hashlib
print(hashlib.sha256(b"".join(b"%08d the quick brown fox\n" % (i * 7919 % 99999989)
    for i in range(300000))).hexdigest())')"
    has "$OUT" 8700000
    grown=$(($(resident) - before))
    say "tried: 2 x 8 MiB by $coding, the broker grew by $grown KiB"
    [ $grown -lt 20480 ] || fail "too much"

    say "$coding: no body, or an empty one"
    task 'call -I "$API_URL/'$coding'/echo"
        for form in 204 304 nothing empty; do
            call -w "$form %{http_code} %{size_download}\n" "$API_URL/'$coding'/$form"; done'
    has "$OUT" 'HTTP/1.1 200'
    hasnt "${OUT,,}" content-encoding "an answer ($coding)"
    for line in '204 204 0' '304 304 0' 'nothing 200 0' 'empty 200 0'; do
        has "$OUT" "$line"
    done

    say "$coding: what breaks off, goes on or lies is none"
    task 'for form in short behind liar bomb; do
        call -f -o /dev/null "$API_URL/'$coding'/$form" 2>/dev/null; echo "$form $?"
        call "$API_URL/'$coding'/$form" 2>/dev/null | head -c 2000000 | tr -d "\\0"; done'
    for form in short behind liar bomb; do
        has "$OUT" "$form "
        hasnt "$OUT" "$form 0" "what passes as whole ($coding, $form)"
    done
    hasnt "$OUT" "$VALUE" "an answer ($coding)"
done

say "events come as they are flushed"
for coding in gzip deflate raw zstd; do
    task 'call -N "$API_URL/'$coding'/events" | stamped'
    [ "$(grep -c 'data: . \[redacted\]' <<<"$OUT")" -eq 5 ] || fail "not five events: $OUT"
    first=$(sed -n 1p <<<"$OUT") last=$(sed -n '$p' <<<"$OUT")
    [ $((${last%% *} - ${first%% *})) -gt 500000000 ] || fail "all at once: $OUT"
done

say "a coding that is not known is refused, an answer without one is left alone"
task 'call "$API_URL/br/echo"; call -i "$API_URL/none/echo"'
has "$OUT" '"code":"encoded_answer"'
has "$OUT" 'Content-Length: '
has "$OUT" 'ETag: "v1"'

say "an encoded request goes out as it came"
printf 'a body, some of it' | gzip -9 >"$S/body.gz"
SUM=$(sha256sum <"$S/body.gz")
for coding in gzip zstd; do
    task 'call -f -H "Content-Encoding: '$coding'" --data-binary "@'"$S/body.gz"'" \
        "$API_URL/none/'$coding'"'
    [ "$(logged /none/$coding sent)" = $coding ] || fail "the coding was not sent on"
    [ "$(logged /none/$coding sha256)" = "${SUM%% *}" ] || fail "another body"
done

say "by the forward proxy, where TLS ends at the broker, too"
for coding in gzip zstd; do
    task 'unset NO_PROXY no_proxy; call -f -i "'"$TLS/$coding"'/echo"' "$P2"
    has "$OUT" '"Bearer [redacted]"'
    hasnt "$OUT" "$VALUE" "an answer ($coding)"
done

audit_verifies
no_leak
