# P5 where the vault does not know a value: rules find it by its looks or by what
# stands around it; what they may not find stays.
. "$SRC/tests/e2e/lib.sh"

letters() { head -c $(($1 * 8)) /dev/urandom | base64 -w0 | tr -dc 'A-Za-z0-9' | head -c "$1"; }
GITHUB=ghp_$(letters 36)
PLAIN=$(letters 24)
KEY="-----BEGIN RSA PRIVATE KEY-----
$(head -c 700 /dev/urandom | base64)
-----END RSA PRIVATE KEY-----"
printf '%s\n' "$KEY" | sed -n '2,3p' >"$C/lines"
printf 'a %s b\nAPI_TOKEN=%s\n%s\nend\n' "$GITHUB" "$PLAIN" "$KEY" >"$S/text"
clean() { # what is left of $S/text
    [ "$OUT" = 'a [redacted:rule:github-token] b
API_TOKEN=[redacted:rule:secret-plain]
[redacted:rule:private-key]
end' ] || fail "$1: $OUT"
}

say "without a vault: only when it is asked for"
run sh -c 'auth-guard redact <"$1"' sh "$S/text"
[ $RC -eq 69 ] || fail "without a vault and without --rules: exit $RC"
[ -z "$OUT" ] || fail "something was passed on"
ok sh -c 'auth-guard redact --rules default --report "$1.report" <"$1"' sh "$S/text"
clean default
[ "$(jq -c '.streams[0].counts' "$S/text.report")" = \
    '{"rule:github-token":1,"rule:secret-plain":1,"rule:private-key":1}' ] || fail "$(cat "$S/text.report")"
hasnt "$(cat "$S/text.report")" "$GITHUB" "the report"
ok auth-guard redact --rules default "$S/text" "$S/text"
[ "$(grep -c github-token <<<"$OUT")" -eq 2 ] || fail "two files: $OUT"
run sh -c 'auth-guard redact --rules known <"$1"' sh "$S/text"
[ $RC -eq 69 ] || fail "--rules known without a vault: exit $RC"

say "byte by byte it is the same"
ok sh -c 'python3 -c "import os, sys
for b in sys.stdin.buffer.read():
    os.write(1, bytes([b]))" <"$1" | auth-guard redact --rules default' sh "$S/text"
clean "byte by byte"

say "a pause lets out what waits, but no secret"
ok sh -c '{ printf "token: %s" "$1"; sleep 0.5; printf "\nnext: gh"; sleep 0.5; printf "ost\n"; } |
    auth-guard redact --rules default' sh "$GITHUB"
[ "$OUT" = 'token: [redacted:rule:github-token]
next: ghost' ] || fail "a pause: $OUT"

say "levels"
HASH=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
printf 'signature: %s\n' "$HASH" >"$S/hash"
ok sh -c 'auth-guard redact --rules all <"$1"' sh "$S/hash"
hasnt "$OUT" "$HASH" "level all"
run auth-guard redact --rules some "$S/text"
[ $RC -eq 64 ] && has "$ERR" 'not some'
run auth-guard redact --rules none "$S/text"
[ $RC -eq 64 ] && has "$ERR" 'name a --rules-file'

say "rules of one's own"
cat >"$S/mine.json" <<'JSON'
{"rules": 1, "group": "mine", "title": "Mine", "items": [{"id": "badge", "service": "us",
 "description": "a badge", "source": "our handbook", "regex": "BADGE-[0-9]{6}", "keywords": ["BADGE-"],
 "examples": ["«BADGE-‹digits:6›»"], "negatives": ["BADGE-12"]}]}
JSON
ok sh -c 'echo "my BADGE-123456 and $2" | auth-guard redact --rules none --rules-file "$1"' sh "$S/mine.json" "$GITHUB"
[ "$OUT" = "my [redacted:rule:badge] and $GITHUB" ] || fail "a file alone: $OUT"
ok sh -c 'echo "my BADGE-123456 and $2" | auth-guard redact --rules default --rules-file "$1"' sh "$S/mine.json" "$GITHUB"
[ "$OUT" = "my [redacted:rule:badge] and [redacted:rule:github-token]" ] || fail "a file too: $OUT"
ok auth-guard-rules check "$S/mine.json"
sed 's/{6}/+/' "$S/mine.json" >"$S/wrong.json"
sed -i 's/"mine"/"wrong"/' "$S/wrong.json"
run sh -c 'echo BADGE-123456 | auth-guard redact --rules none --rules-file "$1"' sh "$S/wrong.json"
[ $RC -eq 65 ] && [ -z "$OUT" ] || fail "a wrong file: exit $RC $OUT"
has "$ERR" 'rule badge: regex: its longest match has more than 1024 bytes'

say "with a vault: behind its values, in the filter process"
vault
VALUE=$(canary)
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
printf 'password = "%s"\n' "$VALUE" >>"$S/text"
ok sh -c 'auth-guard redact <"$1"' sh "$S/text"
has "$OUT" '[redacted:rule:github-token]'
has "$OUT" 'password = "[redacted:web/key]"'
hasnt "$OUT" "$PLAIN" "redact"
ok sh -c 'auth-guard redact --rules known <"$1"' sh "$S/text"
has "$OUT" "$GITHUB"
has "$OUT" '[redacted:web/key]'
ok sh -c 'echo "my BADGE-123456, $2 and $3" | auth-guard redact --rules-file "$1" --report "$1.report"' \
    sh "$S/mine.json" "$GITHUB" "$VALUE"
[ "$OUT" = "my [redacted:rule:badge], [redacted:rule:github-token] and [redacted:web/key]" ] || fail "three: $OUT"
[ "$(jq .hits "$S/mine.json.report")" -eq 3 ] || fail "$(cat "$S/mine.json.report")"

say "what a task prints"
for how in --pty --no-pty; do
    ok auth-guard run $how -- printf 'a %s b\n' "$GITHUB"
    has "$OUT" '[redacted:rule:github-token]'
    hasnt "$OUT" "$GITHUB" "run $how"
done
ok auth-guard run --rules known -- printf 'a %s b\n' "$GITHUB"
has "$OUT" "$GITHUB"
run auth-guard run --rules none -- true
[ $RC -eq 125 ] && has "$ERR" 'the least is --rules known'

say "a placeholder is none"
printf 'sk-proj-%s' "$(letters 48)" | auth-guard put ai/key --min-grade proxy >/dev/null 2>&1 || fail put
ok auth-guard run --proxy 'secret=ai/key,upstream=https://api.example.org,key-env=K,url-env=U' -- \
    sh -c 'printf %s "$K" >"$0"; echo "it is $K."' "$HOME/work/shown"
has "$OUT" "it is $(cat "$HOME/work/shown")."

say "compiled for another Vectorscan, open to others, or not there: said, and nothing is passed on"
mkdir "$S/prefix" "$S/prefix/bin" "$S/prefix/lib" "$S/prefix/share"
cp "$(command -v auth-guard)" "$S/prefix/bin/"
mkdir "$S/prefix/share/auth-guard" "$S/prefix/lib/auth-guard"
broken() { # CODE WORDS: of the copy
    run sh -c '"$1" redact --rules default <"$2"' sh "$S/prefix/bin/auth-guard" "$S/text"
    [ $RC -eq "$1" ] && [ -z "$OUT" ] || fail "exit $RC, not $1: $OUT $ERR"
    has "$ERR" "$2"
}
auth-guard stop >/dev/null 2>&1
mv "$VAULT" "$S/away"
broken 66 'auth-guard-rules install'
RULES=$S/prefix/lib/auth-guard/default.rules
cp "$BIN/../lib/auth-guard/default.rules" "$RULES"
chmod 666 "$RULES"
broken 78 'nobody else can write'
chmod 644 "$RULES"
python3 - "$RULES" <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[10] ^= 1  # the version's first digit
open(sys.argv[1], "wb").write(data)
PY
broken 69 'compile them again: auth-guard-rules install'
cp "$BIN/../lib/auth-guard/default.rules" "$RULES"
truncate -s -100 "$RULES"
broken 65 'cut or damaged'
mv "$S/away" "$VAULT"
