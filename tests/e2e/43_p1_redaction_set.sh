# P1 for the redaction set that leaves the machine: it holds no value and, unless
# asked, no name; where there is no vault redact finds the values by it.
. "$SRC/tests/e2e/lib.sh"
vault

TOKEN=$(canary)
HEX=$(head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n')
KEY="-----BEGIN PRIVATE KEY-----
$(head -c 300 /dev/urandom | base64)
-----END PRIVATE KEY-----"
printf '%s\n' "$HEX" >>"$C/canaries"
sed -n '2,4p' <<<"$KEY" >>"$C/canaries"
put() { printf %s "$2" | auth-guard put "$1" >/dev/null 2>&1 || fail "put $1"; }
put web/token "$TOKEN"
put web/hex "$HEX"
put ssh/key "$KEY"
put db/short 'q7RtWz90LmXc'
put db/words 'correct horse battery staple and so on'

say "only with the passphrase, on record, whole or not at all"
refused 'operator' neighbour auth-guard redaction-set export "$S/none" </dev/null
[ ! -e "$S/none" ] || fail "a neighbour has the set"
ok auth-guard redaction-set export "$S/set"
has "$ERR" 'db/short is left out: it is shorter than 24 characters'
has "$ERR" 'db/words is left out: it does not look drawn by chance'
has "$OUT$ERR" 'values of 5 secrets are in'
[ "$(stat -c %a "$S/set")" = 600 ] || fail "mode $(stat -c %a "$S/set")"
audit_has redaction_set.exported
ok auth-guard redaction-set export --names --only web/ "$S/named"
hasnt "$ERR" db/short "what was not asked for"
run auth-guard redaction-set export --only nothing/ "$S/none"
[ $RC -eq 66 ] && [ ! -e "$S/none" ] || fail "a prefix of nothing: exit $RC"
has "$ERR" "no secret's name begins with nothing/"
ok auth-guard redaction-set export --json "$S/told"
[ "$(jq -r '.file, .secrets, .left_out[0].reason, .set' <<<"$OUT" | tr '\n' ' ')" = "$S/told 5 short null " ] || fail "$OUT"
run auth-guard redaction-set export --json -
[ $RC -eq 64 ] && [ -z "$OUT" ] || fail "--json to stdout: exit $RC"
run auth-guard redaction-set export "$S/no/such/set"
[ $RC -ne 0 ] && has "$ERR" "$S/no/such/set"

say "no value is in it, and no name"
for name in web/token web/hex ssh/key; do
    ! grep -qaF "$name" "$S/set" || fail "$name is in the set"
done
grep -qaF web/token "$S/named" || fail "no name in the set with names"
no_leak

say "where there is no vault it finds them, in every form"
cp "$C/canaries" "$C/own" # of this scenario's text
text() {
    printf 'a %s b\nAuthorization: Basic %s\n' "$TOKEN" "$(printf 'user:%s' "$TOKEN" | base64 -w0)"
    printf 'hex %s, in hex %s\n' "$HEX" "$(printf %s "$HEX" | od -An -tx1 | tr -d ' \n')"
    printf '{"key": %s}\n' "$(jq -Rs . <<<"$KEY")"
    sed 's/^/+ /' <<<"$KEY"
    printf '%s\n' 'postgres: q7RtWz90LmXc, and words'
}
text >"$C/text"
auth-guard stop >/dev/null 2>&1
mv "$VAULT" "$C/away"
ok sh -c 'auth-guard redact --rules none --set "$1" <"$2"' sh "$S/set" "$C/text"
printf '%s' "$OUT" >"$S/redacted"
has "$OUT" 'a [redacted:secret-'
has "$OUT" 'postgres: q7RtWz90LmXc, and words'
[ "$(grep -c '^+ \[redacted' "$S/redacted")" -ge 4 ] || fail "the key's lines: $OUT"
no_leak
ok sh -c 'auth-guard redact --rules none --set "$1" --report "$3" <"$2"' sh "$S/named" "$C/text" "$S/report"
has "$OUT" 'a [redacted:web/token] b'
[ "$(jq '.streams[0].counts["web/token"] > 1' "$S/report")" = true ] || fail "$(cat "$S/report")"
ok sh -c 'printf "x %s and ghp_%s\n" "$2" "$3" | auth-guard redact --rules default --set "$1"' \
    sh "$S/named" "$TOKEN" "$(head -c 99 /dev/urandom | base64 -w0 | tr -dc A-Za-z0-9 | head -c 36)"
[ "$OUT" = 'x [redacted:web/token] and [redacted:rule:github-token]' ] || fail "with rules: $OUT"

say "in records, to a pipe and where they lie"
mkdir "$S/dir"
printf '{"a":"\\u%04x%s \\u0041"}\n{"delta":"%s"}\n{"delta":"%s"}\n' "'${TOKEN:0:1}" "${TOKEN:1}" \
    "${TOKEN:0:9}" "${TOKEN:9}" >"$S/dir/t.jsonl"
WANT=$(printf '{"a":"[redacted:web/token] A"}\n{"delta":"[redacted:web/token]"}\n{"delta":""}')
ok sh -c 'auth-guard redact --rules none --set "$1" --format jsonl <"$2"' sh "$S/named" "$S/dir/t.jsonl"
[ "$OUT" = "$WANT" ] || fail "records: $OUT"
run auth-guard redact --rules none --set "$S/named" --format jsonl --check "$S/dir/t.jsonl"
[ $RC -eq 1 ] || fail "check: exit $RC"
has "$ERR" "$S/dir/t.jsonl:1:1: holds the value of web/token"
ok auth-guard redact --rules none --set "$S/named" --in-place "$S/dir"
[ "$(cat "$S/dir/t.jsonl")" = "$WANT" ] || fail "in place: $(cat "$S/dir/t.jsonl")"

say "a damaged set is refused, and nothing passes"
ok auth-guard redaction-set show "$S/set"
has "$OUT" values
head -c 1000 "$S/set" >"$S/cut"
tr 'A' 'B' <"$S/set" >"$S/changed"
for file in cut changed redacted none; do
    run sh -c 'auth-guard redact --set "$1" <"$2"' sh "$S/$file" "$C/text"
    [ $RC -ne 0 ] && [ -z "$OUT" ] || fail "$file: exit $RC $OUT"
    has "$ERR" "$S/$file"
done
mv "$C/away" "$VAULT"
