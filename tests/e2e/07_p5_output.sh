# P5: no vaulted value leaves by a task's output in any listed encoding; if the
# filter dies nothing passes unfiltered.
vault
value=$(canary)
printf %s "$value" | auth-guard put web/key >/dev/null 2>&1 || fail put
multi="-----BEGIN PRIVATE KEY-----
$(head -c 120 /dev/urandom | base64)
-----END PRIVATE KEY-----"
printf '%s\n' "$multi" | sed -n 2,3p >>"$C/canaries"
printf '%s\n' "$multi" | auth-guard put web/pem >/dev/null 2>&1 || fail put

cat >"$TREE/print.py" <<'PY'
import base64, json, os, shlex, sys, urllib.parse, time, binascii
from xml.sax.saxutils import escape
def all_forms(v):
    b = v.encode()
    yield v
    yield b.hex(); yield b.hex().upper()
    for k in range(3):
        pad = b"x" * k
        yield base64.b64encode(pad + b + b"tail").decode()
        yield base64.urlsafe_b64encode(pad + b + b"tail").decode()
    yield urllib.parse.quote(v, safe="")
    yield json.dumps(v); yield json.dumps(json.dumps(v))
    yield shlex.quote(v); yield escape(v)
    yield v.replace("\n", "\r\n"); yield "\n".join("    " + l for l in v.split("\n"))
    yield "\n".join("+" + l for l in v.split("\n")); yield "\n".join("> " + l for l in v.split("\n"))
out = sys.stdout if sys.argv[1] == "1" else sys.stderr
slow = len(sys.argv) > 2
for name in ("X", "P"):
    for text in all_forms(os.environ[name]):
        data = ("[" + text + "]\n")
        if not slow:
            out.write(data)
            continue
        for ch in data:
            out.write(ch); out.flush()
out.flush()
PY
for fd in 1 2; do
    for slow in "" slow; do
        ok auth-guard run --env X=web/key --env P=web/pem -- /usr/bin/python3 "$TREE/print.py" $fd $slow
        cp "$C/out" "$S/out-$fd$slow"
        cp "$C/err" "$S/err-$fd$slow"
        has "$OUT$ERR" '[redacted:web/key]'
        has "$OUT$ERR" '[redacted:web/pem]'
    done
done
no_leak
say "both streams, whole and byte by byte, in every listed encoding: clean"

# Nothing that the task opens goes past the filter: it has no terminal of ours.
ok auth-guard run --env X=web/key -- sh -c '(printf %s "$X" >/dev/tty) 2>/dev/null; printf %s "$X" >/proc/self/fd/1; true'
hasnt "$OUT$ERR" "$value" "the task's output"
# A terminal has a session of its own, which must be approved first.
cat >"$S/on_tty.sh" <<'SH'
auth-guard unlock
auth-guard run --env X=web/key -- sh -c 'printf "1<%s>" "$X" >/dev/tty; printf "2<%s>" "$X"
    printf "\033]52;c;%s\007" "$(printf %s "$X" | base64 -w0)"'
SH
script -qec "sh '$S/on_tty.sh'" "$C/pty" </dev/null >"$C/out" 2>&1
hasnt "$(tr -d '\0' <"$C/pty")" "$value" "the terminal"
has "$(tr -d '\0' <"$C/pty")" '1<[redacted:web/key]>'
has "$(tr -d '\0' <"$C/pty")" '2<[redacted:web/key]>'
has "$(tr -d '\0' <"$C/pty")" ']52;c;[redacted:web/key]'
# Nor what the caller left open.
ok bash -c 'exec 7>"$1"; auth-guard run --env X=web/key -- sh -c "printf %s \"\$X\" >&7" 2>/dev/null; true' bash "$C/seven"
hasnt "$(cat "$C/seven")" "$value" "a descriptor of the caller's"
ok sh -c 'printf "before %s after" "$1" | auth-guard redact' sh "$value"
[ "$OUT" = "before [redacted:web/key] after" ] || fail "redact: $OUT"
ok auth-guard lock
run sh -c 'printf "%s" "$1" | auth-guard redact' sh "$value"
[ $RC -ne 0 ] && hasnt "$OUT" "$value" "redact with a locked vault"
ok auth-guard unlock

# kill -9 of the filter in the middle of a stream: the task ends at once.
filter=$(mine ag-filter)
[ -n "$filter" ] || fail "no filter process found"
auth-guard run --env X=web/key -- sh -c 'i=0; while :; do printf "%s " "$X"; i=$((i+1)); done' \
    >"$S/stream" 2>"$S/stream.err" &
task=$!
within 5 test -s "$S/stream" || fail "no output came"
kill -9 $filter
within 2 bash -c "! kill -0 $task" || fail "the task outlived the filter"
sleep 0.3
hasnt "$(head -c 50000000 "$S/stream")" "$value" "the stream of a dead filter"
no_leak
say "filter killed mid-stream: the task ended, nothing unfiltered appeared"
