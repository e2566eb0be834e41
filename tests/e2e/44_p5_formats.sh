# P5 in texts of a known format: with and without a vault, with rules of one's own, from a task, and
# packed; what was JSON stays JSON.
. "$SRC/tests/e2e/lib.sh"
vault
VALUE=$(canary 'a"b\c/')
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
esc() { jq -Rn --arg v "$1" '$v' | sed 's/^"//;s/"$//'; }
half=$((${#VALUE} / 2))
delta() { printf '{"type":"d","item_id":"%s","delta":"%s"}\n' "$1" "$(esc "$2")"; }
# The value spelled as no form of it is, in a string in a string, split, and where ids are.
{
    printf '{"a":"\\u0061%s","n":1.50}\n' "$(esc "${VALUE:1}")"
    printf '{"o":"%s"}\n' "$(esc "{\"k\":\"$(esc "$VALUE")\",\"n\":[1]}")"
    delta 1 "say ${VALUE:0:half}"
    delta 2 "other"
    delta 1 "${VALUE:half} done"
    printf '{"id":"%s"}\nno JSON: %s\n' "$(esc "$VALUE")" "$VALUE"
} >"$C/t.jsonl"
cat >"$S/want" <<'JSON'
{"a":"[redacted:web/key]","n":1.50}
{"o":"{\"k\":\"[redacted:web/key]\",\"n\":[1]}"}
{"type":"d","item_id":"1","delta":"say [redacted:web/key]"}
{"type":"d","item_id":"2","delta":"other"}
{"type":"d","item_id":"1","delta":" done"}
{"id":"[redacted:web/key]"}
no JSON: [redacted:web/key]
JSON

say "jsonl: said, by its name, in place, and packed"
ok auth-guard redact --format jsonl "$C/t.jsonl"
cmp "$C/out" "$S/want" || fail "$OUT"
ok auth-guard redact --format auto "$C/t.jsonl"
cmp "$C/out" "$S/want" || fail "auto: $OUT"
ok sh -c 'auth-guard redact --format jsonl <"$1"' sh "$C/t.jsonl"
cmp "$C/out" "$S/want" || fail "stdin: $OUT"
zstd -q "$C/t.jsonl" -o "$C/t.jsonl.zst"
ok auth-guard redact --format auto --decompress "$C/t.jsonl.zst"
cmp "$C/out" "$S/want" || fail "packed: $OUT"
mkdir "$HOME/t"
cp "$C/t.jsonl" "$C/t.jsonl.zst" "$HOME/t"
ok auth-guard redact --in-place --json "$HOME/t"
[ "$(jq -c '[.changed, .hits]' <<<"$OUT")" = '[2,10]' ] || fail "in place: $OUT"
cmp "$HOME/t/t.jsonl" "$S/want" && zstd -qdc "$HOME/t/t.jsonl.zst" | cmp - "$S/want" || fail "in place"
no_leak

say "the bytes of a stream, one at a time"
ok sh -c 'dd bs=1 status=none if="$1" | auth-guard redact --format jsonl' sh "$C/t.jsonl"
cmp "$C/out" "$S/want" || fail "byte by byte: $OUT"

say "what waits comes out: a stream that pauses"
mkfifo "$S/fifo"
auth-guard redact --format jsonl <"$S/fifo" >"$S/live" 2>"$C/err" &
pid=$!
exec 7>"$S/fifo"
delta 1 "plain" >&7
within 5 grep -q plain "$S/live" || fail "a record stays dark"
delta 1 "say ${VALUE:0:half}" >&7
sleep 0.3
grep -q say "$S/live" && fail "half of a value came out"
delta 1 "${VALUE:half}." >&7
within 5 grep -q '"\."' "$S/live" || fail "it does not go on: $(cat "$S/live")"
exec 7>&-
wait $pid || fail "$(cat "$C/err")"
grep -q 'say \[redacted:web/key\]' "$S/live" || fail "$(cat "$S/live")"

say "from a task"
ok auth-guard run --no-isolate -- sh -c 'auth-guard redact --format jsonl <"$1"' sh "$C/t.jsonl"
cmp "$C/out" <(sed 's|:web/key||' "$S/want") || fail "in a task: $OUT"

say "rules of one's own, in this process, and rules without a vault"
letters() { head -c $(($1 * 8)) /dev/urandom | base64 -w0 | tr -dc 'A-Za-z0-9' | head -c "$1"; }
TOKEN=ghp_$(letters 36)
printf '{"a":"\\u0067%s","o":"[\\"%s\\"]"}\n{"delta":"x ghp_"}\n{"delta":"%s"}\n{"id":"%s"}\n' \
    "${TOKEN:1}" "$TOKEN" "${TOKEN:4}" "$TOKEN" >"$C/r.jsonl"
ruled() { printf '{"a":"%s","o":"[\\"%s\\"]"}\n{"delta":"x %s"}\n{"delta":""}\n{"id":"%s"}\n' "$1" "$1" "$1" "$TOKEN"; }
ok auth-guard redact --format jsonl "$C/r.jsonl"
[ "$OUT" = "$(ruled '[redacted:rule:github-token]')" ] || fail "rules: $OUT"
AUTH_GUARD_HOME=$HOME/none ok auth-guard redact --rules default --format jsonl "$C/r.jsonl"
[ "$OUT" = "$(ruled '[redacted:rule:github-token]')" ] || fail "without a vault: $OUT"
cat >"$HOME/ours.json" <<'JSON'
{"rules": 1, "group": "ours", "title": "Ours", "items": [
 {"id": "ours", "service": "Ours", "description": "d", "source": "s", "regex": "zz_[a-z]{10}",
  "keywords": ["zz_"], "examples": ["«zz_abcdefghij»"], "negatives": ["zz_1"]}]}
JSON
printf '{"a":"%s zz_\\u0061bcdefghij"}\n' "$(esc "$VALUE")" >"$C/o.jsonl"
ok auth-guard redact --rules-file "$HOME/ours.json" --format jsonl "$C/o.jsonl"
[ "$OUT" = '{"a":"[redacted:web/key] [redacted:rule:ours]"}' ] || fail "rules of one's own: $OUT"

say "only looked for: in which records"
run auth-guard redact --check --format jsonl "$C/t.jsonl"
[ $RC -eq 1 ] || fail "exit $RC: $ERR"
has "$ERR" "$C/t.jsonl:1:1: holds the value of web/key"
ok auth-guard redact --check --format jsonl "$S/want"
AUTH_GUARD_HOME=$HOME/none run auth-guard redact --rules default --format jsonl --check --json "$C/r.jsonl"
[ $RC -eq 1 ] && [ "$(jq -c '[.findings[] | [.line, .name]]' <<<"$OUT")" = \
    '[[1,"rule:github-token"],[2,"rule:github-token"]]' ] || fail "exit $RC: $OUT"
run auth-guard redact --rules-file "$HOME/ours.json" --format auto --check --json "$C/o.jsonl"
[ $RC -eq 1 ] && [ "$(jq -c '[.findings[] | [.line, .name]]' <<<"$OUT")" = '[[1,"web/key"],[1,"rule:ours"]]' ] ||
    fail "exit $RC: $OUT"

say "what is not so is refused, and nothing is passed on"
run auth-guard redact --format xml "$C/t.jsonl"
[ $RC -eq 64 ] && [ -z "$OUT" ] || fail "--format xml: exit $RC $OUT $ERR"
ok auth-guard redact --format text --check "$S/want"
rm -f "$S/r"
no_leak
