# The exit codes that scripts go by: one for each kind of failure, whatever the
# verb, and nothing on stdout with any but a find.
. "$SRC/tests/e2e/lib.sh"

is() { # CODE COMMAND…
    local want=$1
    shift
    run "$@"
    [ "$RC" -eq "$want" ] || fail "$*: exit $RC instead of $want: $ERR"
    [ "$want" -eq 0 ] || [ "$want" -eq 1 ] || [ -z "$OUT" ] || fail "$*: on stdout: $OUT"
}

say "without a vault, without a broker"
printf 'plain\n' >text
is 64 auth-guard nonsense
is 64 auth-guard redact --nonsense
is 64 auth-guard redact --format xml text
is 64 auth-guard redact --in-place
is 64 auth-guard redact --check --report r text
is 64 auth-guard redact --rules none text
is 69 auth-guard redact text
is 69 auth-guard redact --in-place text
is 69 auth-guard redact --check text
is 69 auth-guard list
is 69 auth-guard get web/key
is 125 auth-guard run -- true
is 0 auth-guard redact --rules default text
is 0 auth-guard redact --rules default --check text

say "with one"
vault
VALUE=$(canary)
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
printf 'a %s\n' "$VALUE" >found
is 0 auth-guard redact text
is 0 auth-guard redact --check text
is 1 auth-guard redact --check found
is 1 auth-guard redact --in-place --dry-run found
mv found $'text:1:1: nothing\nfound'
run auth-guard redact --check $'text:1:1: nothing\nfound'
[ "$ERR" = 'text:1:1: nothing\x0afound:1:3: holds the value of web/key' ] || fail "a name that is a find: $ERR"
mv $'text:1:1: nothing\nfound' found
is 0 auth-guard redact --in-place found
is 0 auth-guard redact --check found
is 66 auth-guard redact none
is 66 auth-guard redact --check none
is 66 auth-guard redact --rules none --set none text
is 65 auth-guard redact --rules none --set text text
is 65 auth-guard redact --rules-file text text
is 64 auth-guard redact --receipt - text
is 0 auth-guard redact --receipt r --format jsonl text
is 64 auth-guard redact --receipt r --format xml text
is 65 auth-guard receipt verify text
is 66 auth-guard get web/none
is 64 auth-guard put

say "what is wrong, where, and nothing of it stays"
refused '^auth-guard: ID is missing; usage: ' auth-guard incident close
refused '^auth-guard: text:1: this is not a receipt' auth-guard receipt verify text
refused 'is no file' auth-guard rotate program add here .
refused 'is no program' auth-guard rotate program add here found
{ printf '#!/bin/sh\n'; head -c 17000000 /dev/zero; } >large
refused 'more than 16 MiB' auth-guard rotate program add here large
is 64 auth-guard rotate program add --limit 0 here found
is 64 auth-guard render --every 0 text rendered
printf '{"some":"thing"}\n' >other.json
is 65 auth-guard leaked --from other.json
ok auth-guard redact --report report.json text
is 66 auth-guard leaked --from report.json # a report, of nothing
gzip -k text
is 64 auth-guard redact --receipt packed text.gz
is 66 auth-guard redact --receipt packed none
for name in rendered packed packed.opening; do
    [ ! -e $name ] || fail "$name is left behind"
done
cp r kept && is 64 auth-guard redact --receipt kept text.gz
cmp r kept || fail "a receipt of before is gone"
ok auth-guard get web/key
ok auth-guard leaked web/key
ok auth-guard incident show 1
has "$OUT" "a person or the broker reveal"
hasnt "$OUT" "- -" "incident show"

say "a command's, and of what could not be run"
is 0 auth-guard run --no-isolate -- true
is 7 auth-guard run --no-isolate -- sh -c 'exit 7'
is 143 auth-guard run --no-isolate -- sh -c 'kill -TERM $$'
is 127 auth-guard run --no-isolate -- nothing-of-that-name
is 126 auth-guard run --no-isolate -- "$TREE/text"
is 125 auth-guard run --no-isolate --env V=ag://web/none -- true
is 125 auth-guard run --nonsense -- true

say "locked"
ok auth-guard lock
is 69 auth-guard redact text
is 69 auth-guard redact --check text
is 69 auth-guard list
is 125 auth-guard run --no-isolate -- true
no_leak
