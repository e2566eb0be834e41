# P5: a value that is new is taken out of what a task prints, however fresh: put,
# and read by a task that runs already, before anybody asked the filter for anything.
. "$SRC/tests/e2e/lib.sh"
vault
put() { # NAME: makes $value its value
    value=$(canary)
    printf %s "$value" | auth-guard put "$1" >/dev/null 2>&1 || fail "put $1"
}
put some/key
mkfifo "$C/go"
auth-guard run --no-isolate --grant some/key:read -- sh -c 'for i in 1 2 3 4 5; do read -r how <'"$C/go"'
    if [ $how = wrap ]; then auth-guard wrap some/key | auth-guard unwrap; else auth-guard get some/key; fi; echo; echo had $i; done' >"$C/told" 2>&1 &
task=$!
i=0
for how in get get wrap get wrap; do
    put some/key
    echo $how >"$C/go"
    i=$((i + 1))
    within 10 grep -q "^had $i" "$C/told" || fail "no reading: $(cat "$C/told")"
    hasnt "$(cat "$C/told")" "$value" "what a task printed of a fresh value, by $how"
done
wait $task
[ "$(grep -c '^\[redacted' "$C/told")" -eq 5 ] || fail "not all was there: $(cat "$C/told")"
say "five fresh values, read at once and printed: none is there"
no_leak
