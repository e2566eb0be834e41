# P2, P10: while the vault is open values lie in locked pages that no core has, in
# no form anywhere else; when it is locked they are gone, and so is a stream's text
# when the stream has ended. Looked at through /proc/PID/mem, which needs root.
# as: root
. "$SRC/tests/e2e/lib.sh"

scan() { # HOW FILE PID…
    local how=$1 file=$2
    shift 2
    /usr/bin/python3 "$SRC/tests/e2e/memory_scan.py" --canaries "$file" "--$how" "$@" >"$C/scan" 2>&1 ||
        fail "$how, $(basename "$file"): $(cat "$C/scan")"
    say "$how: $(tail -n 1 "$C/scan")"
}
processes() { # auth-guardd's own and its helpers
    BROKER=$(broker_pid)
    FILTER=$(pgrep -P "$BROKER" -x ag-filter) || fail "no filter"
    WITNESS=$(pgrep -P "$BROKER" -x ag-witness) || fail "no witness"
}
letters() { head -c 64 /dev/urandom | base64 -w0 | tr -dc 'A-Za-z0-9' | head -c "$1"; }
put() { # NAME VALUE
    printf %s "$2" | auth-guard put "$1" >/dev/null 2>"$C/err" || fail "put: $(cat "$C/err")"
    printf '%s\n' "${2//$'\n'/\\n}" >>"$C/values"
}

vault
put web/key "$(letters 40)"
put web/odd "p\"s's<&>/$(letters 24)\\%é\$"
put web/token "ghp_$(letters 36)"
put web/pem "-----BEGIN PRIVATE KEY-----
$(head -c 300 /dev/urandom | base64 -w 64)
-----END PRIVATE KEY-----"
cat "$C/passphrase" >>"$C/values"
processes

say "values in use: read, in a variable, in a file, in text, in text that waits"
for name in web/key web/odd web/token web/pem; do
    ok auth-guard get "$name"
    printf '%s\n' "$OUT" >>"$C/text"
done
ok auth-guard run --no-isolate --env "K=ag://web/key" --file "$HOME/work/odd=ag://web/odd" -- \
    sh -c 'echo "$K"; cat odd'
hasnt "$OUT" "$(sed -n 1p "$C/values")" "what a task printed"
ok sh -c 'for i in 1 2 3 4 5 6 7 8; do cat "$1"; done | auth-guard redact' sh "$C/text"
has "$OUT" '[redacted:web/odd]'
hasnt "$OUT" "$(sed -n 1p "$C/values")" "redact"
mkfifo "$C/open"
auth-guard redact <"$C/open" >"$C/waits" 2>/dev/null &
exec 7>"$C/open"
head -c 50 "$C/text" >&7
sleep 0.3
scan locked "$C/values" "$BROKER" "$FILTER" "$WITNESS"

say "a stream's text, when it has ended"
{
    printf 'line-%s\n' "$(letters 36)" "$(letters 36)"
    printf 'token=%s\n' "$(letters 30)"
    printf '%s\n' "$(head -c 3000 /dev/urandom | base64 -w0)"
} >"$C/seen"
cp "$C/seen" "$C/stream"
ok sh -c 'for i in 1 2 3 4 5 6 7 8; do cat "$1"; sleep 0.05; done | auth-guard redact --rules all' sh "$C/seen"
ok sh -c 'auth-guard redact --rules known <"$1"' sh "$C/seen"
ok auth-guard run --no-isolate --pty -- cat "$C/seen"
cut -c 1-64 "$C/seen" >"$C/lines"
scan absent "$C/lines" "$FILTER"

say "locked"
exec 7>&-
wait
ok auth-guard lock
scan absent "$C/values" "$BROKER" "$FILTER" "$WITNESS"
scan absent "$C/lines" "$BROKER" "$FILTER" "$WITNESS"

say "open again, and locked"
ok auth-guard unlock
[ "$(broker_pid)" = "$BROKER" ] || fail "another broker"
ok sh -c 'auth-guard redact <"$1"' sh "$C/text"
scan locked "$C/values" "$BROKER" "$FILTER" "$WITNESS"
ok auth-guard lock
scan absent "$C/values" "$BROKER" "$FILTER" "$WITNESS"
audit=$(auth-guard status --json) && has "$audit" '"locked"'
