# P8, for others: a receipt says what the vault's filter saw, is on the record
# before it exists, and holds for nothing but that.
. "$SRC/tests/e2e/lib.sh"
vault
value=$(canary)
printf %s "$value" | auth-guard put web/key >/dev/null 2>&1 || fail put
GITHUB=ghp_$(head -c 200 /dev/urandom | base64 -w0 | tr -dc 'A-Za-z0-9' | head -c 36)
printf 'a %s b\n%s\ntoken %s\n' "$value" "$(printf %s "$value" | base64 -w0)" "$GITHUB" >in
SUBJECT=github.com/owner/repository#7

say "one is written, and verifies without vault and broker"
touch r r.opening # of before, and open to others
chmod 644 r r.opening
run auth-guard redact --receipt r --subject "$SUBJECT" in
[ $RC -eq 0 ] || fail "redact: $RC $ERR"
cp "$C/out" out
hasnt "$(cat out)" "$value" "the output"
[ "$(stat -c %a r) $(stat -c %a r.opening)" = "644 600" ] || fail "modes of the files"
jq -r .payload r | base64 -d >statement || fail "no payload"
[ "$(jq -r '[.subject, .audience, .rules.level, .hits.tiers.P0, .hits.tiers.rule, .residual, .output.sha256] | join(" ")' statement)" = \
    "$SUBJECT operator default 2 1 0 $(sha256sum <out | cut -d' ' -f1)" ] || fail "$(cat statement)"
hasnt "$(cat statement)" web/key "the statement: a name"
hasnt "$(cat statement)" "$(sha256sum <in | cut -d' ' -f1)" "the statement: a hash to guess by"
ok auth-guard receipt key
printf '%s\n' "$OUT" >key.pem
PRINT=$(auth-guard receipt key --json | jq -r .fingerprint)
alone() { env -u XDG_RUNTIME_DIR AUTH_GUARD_HOME="$S/nowhere" auth-guard receipt verify "$@"; }
ALL=(--key key.pem --subject "$SUBJECT" --input in --output out)
ok alone r "${ALL[@]}"
ok alone r --key "$PRINT"
run alone r
[ $RC -eq 2 ] && has "$ERR" "$PRINT" || fail "not pinned: exit $RC $ERR"
printf '%s\n' "$OUT" | grep -q "receipt .* holds" || fail "not pinned: $OUT"

say "by another program: DSSE and Ed25519 as OpenSSL has it"
python3 - <<'PY' || fail "the envelope"
import base64, json
e = json.load(open("r"))
p = base64.b64decode(e["payload"])
t = e["payloadType"].encode()
open("pae", "wb").write(b"DSSEv1 %d %s %d %s" % (len(t), t, len(p), p))
open("sig", "wb").write(base64.b64decode(e["signatures"][0]["sig"]))
PY
ok openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in pae -sigfile sig

say "a changed byte of anything"
refused_with() { # WORD FILES…: exit 65 and a sentence
    run alone "$@"
    [ $RC -eq 65 ] || fail "exit $RC from verify $*: $ERR"
}
flip() { # FILE OFFSET
    python3 -c 'import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[int(sys.argv[2])] ^= 1
open(sys.argv[1], "wb").write(b)' "$1" "$2"
}
tried=0
for file in in out r r.opening; do
    size=$(stat -c %s $file)
    for at in 0 1 $((size / 7)) $((size / 3)) $((size / 2)) $((size - 2)); do
        flip $file "$at"
        run alone r "${ALL[@]}"
        [ $RC -eq 65 ] || [ $RC -eq 78 ] || fail "$file, byte $at: exit $RC $ERR"
        flip $file "$at"
        tried=$((tried + 1))
    done
done
ok alone r "${ALL[@]}"
# Every member of the statement, changed on purpose, under the old signature.
for edit in '.set.last_epoch += 1' '.set.digest |= sub("^.";"0")+""' '.hits.tiers.P0 += 1' '.hits.total = 0' \
    '.hits.names = []' '.residual = 1' '.audit.seq += 1' '.audit.chain |= ("ff" + .[2:])' '.subject = "other"' \
    '.output.bytes += 1' '.rules.level = "all"' '.time = "2020-01-01T00:00:00.000Z"' '.more = 1'; do
    jq -c "$edit" statement | tr -d '\n' >changed
    cmp -s changed statement && continue # the first digit was 0 already
    jq -c --arg p "$(base64 -w0 <changed)" '.payload = $p' r >forged
    refused_with forged --key key.pem
    tried=$((tried + 1))
done
say "$tried changes were refused"

say "replayed and forged ones"
refused_with r --key key.pem --subject github.com/owner/repository#8
printf 'another text\n' >other
refused_with r --key key.pem --output other
refused_with r --key key.pem --input other
python3 - <<'PY' || fail "keys"
import base64, json, subprocess
subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", "own.key"], check=True)
der = subprocess.run(["openssl", "pkey", "-in", "own.key", "-pubout", "-outform", "DER"],
                     check=True, capture_output=True).stdout
import hashlib
raw = der[-32:]
s = json.load(open("statement"))
s["key"] = base64.b64encode(raw).decode()
p = json.dumps(s, separators=(",", ":"), ensure_ascii=False).encode()
e = json.load(open("r"))
t = e["payloadType"].encode()
open("pae", "wb").write(b"DSSEv1 %d %s %d %s" % (len(t), t, len(p), p))
subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", "own.key", "-rawin", "-in", "pae", "-out", "sig"], check=True)
e["payload"] = base64.b64encode(p).decode()
e["signatures"][0] = {
    "keyid": "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("="),
    "sig": base64.b64encode(open("sig", "rb").read()).decode()}
open("forged", "w").write(json.dumps(e, separators=(",", ":")) + "\n")
PY
run alone forged # by a key of one's own it holds, and is said not to be pinned
[ $RC -eq 2 ] || fail "signed by another: exit $RC $ERR"
refused_with forged --key key.pem
refused receipt_refused auth-guard receipt verify forged --audit --json
rm -f own.key

say "on the record, before it is out"
ok auth-guard receipt verify r --audit
has "$OUT" web/key
audit_has receipt.signed "$SUBJECT"
audit_verifies

say "several files, a line each"
printf 'second %s\n' "$value" >in2
run auth-guard redact --receipt r2 in in2
cp "$C/out" out2
[ "$(wc -l <r2) $(wc -l <r2.opening)" = "2 2" ] || fail "lines: $(cat r2)"
ok alone r2 --key key.pem --input in --input in2 --output out2
refused_with r2 --key key.pem --input in2 --input in
refused_with r2 --key key.pem --output out
run auth-guard redact --receipt r3 --receipt-names plain in
jq -r .payload r3 | base64 -d | jq -r '.hits.names[].name' | grep -qx web/key || fail "plain names"

say "in a format: searched again as that format, and it says as which"
printf '{"a":"\\u%04x%s"}\n{"item_id":"i","delta":"x %s"}\n{"item_id":"i","delta":"%s"}\n' \
    "'${value:0:1}" "${value:1}" "${value:0:20}" "${value:20}" >in.jsonl
run auth-guard redact --format auto --receipt r6 in.jsonl
[ $RC -eq 0 ] || fail "redact: $RC $ERR"
cp "$C/out" out.jsonl
[ "$(grep -c redacted out.jsonl)" = 2 ] && jq -e . out.jsonl >/dev/null || fail "out: $(cat out.jsonl)"
ok alone r6 --key key.pem --input in.jsonl --output out.jsonl
has "$OUT" "as jsonl"
jq -r .payload r6 | base64 -d >statement6
[ "$(jq -r '[.format, .hits.total, .residual] | join(" ")' statement6)" = "jsonl 2 0" ] || fail "$(cat statement6)"
jq -c '.format = "text"' statement6 | tr -d '\n' >changed
jq -c --arg p "$(base64 -w0 <changed)" '.payload = $p' r6 >forged
refused_with forged --key key.pem
for format in json sse markdown diff; do
    printf 'data: {"a":"%s"}\n\n> a line %s\n> %s\n+%s\n' "$value" "${value:0:15}" "${value:15}" "$value" >"in.$format"
    ok auth-guard redact --format $format --receipt r7 "in.$format"
    hasnt "$OUT" "$value" "$format"
    cp "$C/out" out7
    ok alone r7 --key key.pem --input "in.$format" --output out7
    has "$OUT" "as $format"
    rm -f "in.$format"
done
rm -f in.jsonl

say "where there is none"
run auth-guard redact --subject x in
[ $RC -eq 64 ] || fail "a subject alone: $RC"
run auth-guard redact --receipt r4 --subject "$(printf 'a\nb')" in
[ $RC -eq 65 ] && [ ! -e r4 ] || fail "a subject of two lines: $RC"
run env AUTH_GUARD_HOME="$S/nowhere" auth-guard redact --rules default --receipt r4 in
[ $RC -eq 64 ] && [ -z "$OUT" ] && [ ! -e r4 ] || fail "without a vault: $RC $OUT"
run auth-guard redact --in-place --receipt r4 in
[ $RC -eq 64 ] && [ ! -e r4 ] || fail "--in-place: $RC $ERR"
gzip -k in
run auth-guard redact --receipt r4 in.gz
[ $RC -eq 64 ] && [ -z "$OUT" ] && [ ! -s r4 ] || fail "packed text: $RC $ERR"
rm -f in.gz r4 r4.opening
run auth-guard run --no-isolate -- sh -c 'auth-guard redact --receipt r4 in'
[ $RC -ne 0 ] || fail "a task was given a receipt"
has "$ERR$OUT" "a task is given no receipts"
[ ! -s r4 ] || fail "a task has a receipt"

say "a passphrase changes nothing, a lock neither"
ok auth-guard lock
ok auth-guard unlock
ok alone r "${ALL[@]}"
ok auth-guard receipt key
[ "$OUT" = "$(cat key.pem)" ] || fail "another key after a lock"

say "a vault that was put back does not have it"
ok auth-guard stop
within 5 broker_gone
cp -r "$VAULT" "$C/old"
ok auth-guard unlock
run auth-guard redact --receipt r5 --subject "$SUBJECT" in
[ $RC -eq 0 ] || fail "redact: $ERR"
ok auth-guard receipt verify r5 --audit
ok auth-guard stop
within 5 broker_gone
rm -rf "$VAULT"
cp -r "$C/old" "$VAULT"
ok auth-guard unlock
run auth-guard receipt verify r5 --audit
[ $RC -eq 65 ] && has "$ERR" "rolled back" || fail "rolled back: exit $RC $ERR"
ok auth-guard receipt verify r --audit
ok alone r5 --key key.pem # the signature alone can't tell
rm -f in in2 # which are what was searched for
no_leak
