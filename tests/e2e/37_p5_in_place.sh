# P5, where transcripts lie: redact --in-place takes values out of files, packed
# or not, and of databases; whatever ends it, the name leads to one whole file, and no
# plaintext is left beside it.
# timeout: 900
vault
VALUE=$(canary sk-live-)
OTHER=$(canary)
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
printf %s "$OTHER" | auth-guard put db/pw >/dev/null 2>&1 || fail put
T=$HOME/.codex/sessions
mkdir -p "$T/2026/07"
line() { printf '{"type":"message","text":"%s is it","n":%d}\n' "$1" "$2"; }
text() { # FILE: two values among other lines
    seq -f '{"n":%.0f}' 500 >"$1"
    line "$VALUE" 1 >>"$1"
    line "$(printf %s "$OTHER" | base64 -w0)" 2 >>"$1"
    seq -f '{"m":%.0f}' 500 >>"$1"
}
clean() { # FILE of ours: what is left of text()
    [ "$(grep -c redacted: <"$1")" -eq 2 ] && [ "$(wc -l <"$1")" -eq 1002 ] &&
        jq -es 'length == 1002' <"$1" >/dev/null || fail "$1: $(grep -n redacted: <"$1")"
}
leftovers() { find "$HOME" "$S" -name '.ag-inplace-*' | grep . && fail "something is left"; }
state() { jq -r --arg f "$2" '.files[] | select(.file == $f) | .state' <<<"$1"; }

say "a dry run says what is where and writes nothing"
A=$T/2026/07/a.jsonl
text "$A"
chmod 640 "$A"
touch -d '2026-01-02 03:04:05' "$A"
seq 100 >"$T/clean.jsonl"
head -c 3000 /dev/zero >"$T/binary"
was=$(stat -c '%i %Y %a' "$A")
run auth-guard redact --in-place --dry-run "$HOME/.codex"
[ $RC -eq 1 ] || fail "dry run: exit $RC $ERR"
has "$OUT" "found    $A: "
has "$OUT" 'web/key 1'
has "$OUT" 'db/pw 1'
[ "$(stat -c '%i %Y %a' "$A")" = "$was" ] && grep -qF "$VALUE" "$A" || fail "the dry run wrote"
leftovers

say "it is changed, and only it; mode and times stay"
same=$(stat -c '%i %z' "$T/clean.jsonl" "$T/binary")
ok auth-guard redact --in-place --json --report "$S/report" "$HOME/.codex"
[ "$(state "$OUT" "$A")" = changed ] || fail "$OUT"
[ "$(jq -c '[.checked, .changed, .left, .binary, .hits]' <<<"$OUT")" = '[3,1,0,1,2]' ] || fail "$OUT"
[ "$(jq -c .hits "$S/report")" = 2 ] || fail "$(cat "$S/report")"
[ "$(jq -c '.files[0] | [.counts, .wiped]' "$S/report")" = '[{"web/key":1,"db/pw":1},true]' ] ||
    [ "$(jq -c '.files[0] | [.counts, .wiped]' "$S/report")" = '[{"db/pw":1,"web/key":1},true]' ] || fail "$(cat "$S/report")"
clean "$A"
[ "$(stat -c '%Y %a' "$A")" = "${was#* }" ] || fail "mode or time: $(stat -c '%Y %a' "$A"), was $was"
[ "$(stat -c '%i %z' "$T/clean.jsonl" "$T/binary")" = "$same" ] || fail "others were touched"
ok auth-guard redact --in-place "$HOME/.codex"
[ -z "$OUT" ] || fail "once more: $OUT"
leftovers
no_leak

say "gzip and zstd, of several members; what is damaged or a bomb is left"
text "$S/t"
head -n 501 "$S/t" | gzip >"$T/g.jsonl.gz"
tail -n +502 "$S/t" | gzip >>"$T/g.jsonl.gz"
head -n 700 "$S/t" | zstd -q >"$T/z.jsonl.zst"
tail -n +701 "$S/t" | zstd -q -19 >>"$T/z.jsonl.zst"
rm "$S/t"
ok auth-guard redact "$T/z.jsonl.zst"
zstd -qdc "$C/out" >"$S/out" || fail "what came out is no zstd"
clean "$S/out"
ok auth-guard redact "$T/g.jsonl.gz"
gzip -dc <"$C/out" >"$S/out" || fail "what came out is no gzip"
clean "$S/out"
ok auth-guard redact --decompress "$T/g.jsonl.gz"
cp "$C/out" "$S/out"
clean "$S/out"
run auth-guard redact --in-place --dry-run --json "$T"
[ $RC -eq 1 ] && [ "$(jq -c '[.found, .hits]' <<<"$OUT")" = '[2,4]' ] || fail "packed, dry: $OUT"
ok auth-guard redact --in-place "$T"
gzip -dc "$T/g.jsonl.gz" >"$S/out"
clean "$S/out"
zstd -qdc "$T/z.jsonl.zst" >"$S/out"
clean "$S/out"
printf 'x %s\n' "$VALUE" | gzip | head -c -6 >"$T/cut.gz"
dd if=/dev/zero bs=1M count=200 status=none | tr '\0' x | zstd -q >"$T/bomb.zst"
cut_was=$(sha256sum "$T/cut.gz" "$T/bomb.zst")
run auth-guard redact --in-place --json "$T"
[ $RC -eq 65 ] || fail "damaged: exit $RC $ERR $OUT"
[ "$(jq -c '[.files[].code] | sort' <<<"$OUT")" = '["corrupt","limit"]' ] || fail "$OUT"
[ "$(sha256sum "$T/cut.gz" "$T/bomb.zst")" = "$cut_was" ] || fail "they were touched"
run auth-guard redact "$T/cut.gz"
[ $RC -eq 65 ] && has "$ERR" 'damaged, or cut'
rm "$T/cut.gz" "$T/bomb.zst"
leftovers
no_leak

say "who has it open keeps it"
text "$A"
/usr/bin/python3 - "$A" "$S" <<'PY' &
import os, sys, time
f = open(sys.argv[1], "a")
open(sys.argv[2] + "/opened", "w").close()
while not os.path.exists(sys.argv[2] + "/stop"):
    time.sleep(0.02)
f.write('{"last":1}\n')
f.close()
PY
writer=$!
within 10 test -e "$S/opened" || fail "no writer"
run auth-guard redact --in-place "$T"
[ $RC -eq 75 ] && has "$OUT" "left     $A: " && has "$OUT" 'another process has it open' || fail "exit $RC $OUT $ERR"
run auth-guard redact --in-place --dry-run "$T"
[ $RC -eq 1 ] && has "$OUT" 'web/key 1' && has "$OUT" 'has it open'
touch "$S/stop"
wait $writer
grep -q '"last"' "$A" && grep -qF "$VALUE" "$A" || fail "the writer lost its line"
ok auth-guard redact --in-place "$T"
grep -q '"last"' "$A" || fail "the last line is gone"
sed -i '$d' "$A"
clean "$A"
leftovers

say "links lead nowhere, second names are refused"
mkdir "$HOME/elsewhere"
text "$HOME/elsewhere/secret.txt"
ln -s "$HOME/elsewhere" "$T/dir"
ln -s "$HOME/elsewhere/secret.txt" "$T/link.jsonl"
mkfifo "$T/fifo"
text "$T/hard.jsonl"
ln "$T/hard.jsonl" "$HOME/elsewhere/hard"
ln -s "$HOME/elsewhere/secret.txt" "$T/.ag-inplace-0123456789abcdef"
ln "$HOME/elsewhere/secret.txt" "$T/.ag-inplace-0123456789abcde0"
run auth-guard redact --in-place --json "$T"
[ $RC -eq 65 ] || fail "hard link: exit $RC $OUT"
[ "$(state "$OUT" "$T/hard.jsonl")" = left ] && has "$OUT" 'hard links' || fail "$OUT"
for f in elsewhere/secret.txt elsewhere/hard; do
    grep -qF "$VALUE" "$HOME/$f" || fail "$f was touched"
done
[ -L "$T/link.jsonl" ] && [ -p "$T/fifo" ] || fail "a link or fifo is gone"
[ -e "$T/.ag-inplace-0123456789abcde0" ] && fail "the planted second name is still there"
rm -r "$HOME/elsewhere" "$T/dir" "$T/link.jsonl" "$T/hard.jsonl" "$T/fifo" "$T"/.ag-inplace-*

say "a credential file is no transcript: its login would be lost"
printf '{"OPENAI_API_KEY":"%s"}\n' "$VALUE" >"$HOME/.codex/auth.json"
printf 'API_KEY=%s\n' "$VALUE" >"$T/.env"
run auth-guard redact --in-place --json "$HOME/.codex"
[ $RC -eq 65 ] && [ "$(jq -c '[.changed, .left]' <<<"$OUT")" = '[0,2]' ] || fail "exit $RC $OUT $ERR"
has "$OUT" 'is a credential file (codex)'
has "$OUT" 'is a credential file (dotenv)'
grep -qF "$VALUE" "$HOME/.codex/auth.json" && grep -qF "$VALUE" "$T/.env" || fail "a credential is lost"
ln -s .codex "$HOME/dots"
run auth-guard redact --in-place "$HOME/dots/auth.json"
[ $RC -eq 65 ] && grep -qF "$VALUE" "$HOME/.codex/auth.json" || fail "by a link: exit $RC $OUT $ERR"
rm "$HOME/.codex/auth.json" "$T/.env" "$HOME/dots"

say "killed at every step: the old or the new, whole, and the next run clears up"
tried=0
step=${CRASH_STEP:-1}
for f in "$A" "$T/k.zst"; do
    for ((n = 1; ; n += step)); do
        case $f in
        *.zst) text "$S/t" && zstd -q <"$S/t" >"$f" && rm "$S/t" ;;
        *) text "$f" ;;
        esac
        e2e_crash "$n" auth-guard redact --in-place "$f" >"$C/out" 2>"$C/err"
        rc=$?
        tried=$((tried + 1))
        case $f in
        *.zst) zstd -qdc "$f" >"$S/out" || fail "killed at call $n: $f is torn" ;;
        *) cp "$f" "$S/out" ;;
        esac
        if grep -qF "$VALUE" "$S/out"; then
            [ "$(wc -l <"$S/out")" -eq 1002 ] || fail "killed at call $n: the old file is not whole"
        else
            clean "$S/out"
        fi
        rm "$S/out"
        [ $rc -eq 137 ] || break
        ok timeout 60 auth-guard redact --in-place "$f"
        case $f in
        *.zst) zstd -qdc "$f" >"$S/out" && clean "$S/out" && rm "$S/out" ;;
        *) clean "$f" ;;
        esac
        leftovers
    done
    [ $rc -eq 0 ] || fail "it failed by itself: $(cat "$C/err")"
done
say "$tried points tried"
no_leak

say "locked: nothing is touched"
text "$A"
ok auth-guard lock
run auth-guard redact --in-place "$T"
[ $RC -eq 69 ] && grep -qF "$VALUE" "$A" || fail "locked: exit $RC $OUT $ERR"
ok auth-guard unlock
ok auth-guard redact --in-place "$T"
no_leak
