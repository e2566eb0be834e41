# P5 where a command sends a text to others: gh and the like ask first.
. "$SRC/tests/e2e/lib.sh"
vault
VALUE=$(canary)
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
GITHUB=ghp_$(head -c 99 /dev/urandom | base64 -w0 | tr -dc A-Za-z0-9 | head -c 36)
printf '%s\n' "$GITHUB" >>"$C/canaries"

# What stands for gh notes what it was called with, and what it read.
mkdir -p "$S/real" "$HOME/.local/bin"
cat >"$S/real/gh" <<SH
#!/bin/sh
printf '%s\n' "\$@" >"$C/called"
cat >"$C/read"
exit 9
SH
chmod +x "$S/real/gh"
export PATH=$HOME/.local/bin:$S/real:$PATH
called() { # WORDS…: it ran, and was called so
    [ $RC -eq 9 ] || fail "exit $RC: $ERR $OUT"
    [ "$(cat "$C/called")" = "$(printf '%s\n' "$@")" ] || fail "called with: $(cat "$C/called")"
    rm "$C/called"
}
kept() { # WORDS: it did not, and was told
    [ $RC -eq 1 ] && [ ! -e "$C/called" ] || fail "exit $RC, or it ran: $ERR"
    has "$ERR" "$1"
    has "$ERR" 'nothing was sent'
    hasnt "$ERR$OUT" "$VALUE" "what was said"
    hasnt "$ERR$OUT" "$GITHUB" "what was said"
}

say "installed before it in PATH, not over another, not where nobody finds it"
refused 'not come before' auth-guard hook install command --dir "$TREE" gh
refused 'no program' auth-guard hook install command nothing-of-that-name
echo mine >"$HOME/.local/bin/gh"
refused 'is there already' auth-guard hook install command gh
[ "$(cat "$HOME/.local/bin/gh")" = mine ] || fail "it was replaced"
rm "$HOME/.local/bin/gh"
ok auth-guard hook install command gh
ok auth-guard hook install command gh

say "words, files and stdin that are sent"
run gh pr create --title "use $VALUE" --body x </dev/null
kept 'its arguments:1:5 holds the value of web/key'
run gh pr comment 7 "--body=see $(printf %s "$VALUE" | base64 -w0)" </dev/null
kept 'as base64'
printf 'one\n%s\n' "$GITHUB" >body
for words in '--body-file body' '-F body' '-Fbody' '--body-file=body' '--input body' '-f body=@body'; do
    # shellcheck disable=SC2086
    run gh pr create --title t $words </dev/null
    kept 'body:2:1 looks like a secret (rule github-token)'
done
run gh issue comment 3 -F - <body
kept 'stdin:2:1 looks like a secret'
run gh gist create body </dev/null
kept 'body:2:1'
run gh pr create --title "body" -- body </dev/null
called pr create --title body -- body

say "what holds none runs as it would, with its stdin and exit code"
echo 'nothing in it' >clean
run gh pr create --title 'a b' --body-file clean <clean
called pr create --title 'a b' --body-file clean
[ "$(cat "$C/read")" = 'nothing in it' ] || fail "its stdin: $(cat "$C/read")"
run gh issue comment 3 -F - <clean
called issue comment 3 -F -
[ "$(cat "$C/read")" = 'nothing in it' ] || fail "its stdin, read before: $(cat "$C/read")"
run gh pr create -F nowhere </dev/null
called pr create -F nowhere
run gh secret set NAME --body "$VALUE" </dev/null
called secret set NAME --body "$VALUE"
run auth-guard hook run post -- nothing-of-that-name x
[ $RC -eq 66 ] || fail "no such command: exit $RC"

say "with a locked vault rules, or nothing; by a task; removed"
auth-guard lock >/dev/null 2>&1
run gh pr create --title "use $VALUE" </dev/null
called pr create --title "use $VALUE"
has "$ERR" "not the vault's values"
run gh pr create --title "use $GITHUB" </dev/null
kept 'looks like a secret'
ok auth-guard hook install command --require-vault gh
run gh pr create --title clean </dev/null
[ $RC -eq 69 ] && [ ! -e "$C/called" ] || fail "locked: exit $RC"
auth-guard unlock >/dev/null 2>&1 || fail unlock
run auth-guard run --no-isolate -- gh pr create --title "use $VALUE"
kept 'holds a value of the vault'
ok auth-guard hook remove command gh
[ ! -e "$HOME/.local/bin/gh" ] || fail "it is still there"
refused 'has no gh of auth-guard' auth-guard hook remove command gh
ok auth-guard shim install gh
refused 'is a shim' auth-guard hook install command gh
rm body clean
no_leak
