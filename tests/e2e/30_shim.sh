# A shim makes a command's name mean a task, starts nothing but the program found
# when it was made, and never itself.
. "$SRC/tests/e2e/lib.sh"

vault
mkdir -p "$HOME/bin" "$HOME/lib" "$HOME/other"
SHIMS=$VAULT/shims
# As npm installs a program: a link to a script that tells how it was started.
cat >"$HOME/lib/tool.sh" <<'T'
#!/bin/sh
auth-guard status --json | jq -r '"class \(.caller.class)"'
printf 'arg <%s>\n' "$@"
[ -t 0 ] && echo terminal || echo pipe
case $PATH in *shims*) echo shims in PATH ;; esac
[ "$1" = read ] && cat
[ "$1" = nest ] && shift && exec "$@"
exit 7
T
chmod 755 "$HOME/lib/tool.sh"
ln -s ../lib/tool.sh "$HOME/bin/glab"
ln -s ../lib/tool.sh "$HOME/bin/mytool"
export PATH=$HOME/bin:$PATH
BEFORE=$PATH

say "only what can be done is done"
refused 'no profile knows the command mytool' auth-guard shim install glab mytool
[ ! -e "$SHIMS/glab" ] || fail "one of two was made"
refused "there is no program 'nosuch'" auth-guard shim install nosuch
refused 'no name of a command' auth-guard shim install ../glab
refused 'itself gets no shim' auth-guard shim install auth-guard
refused "there is no profile .*nosuch" auth-guard shim install mytool --profile nosuch
refused 'nosuch' auth-guard shim install mytool -- --nosuch
refused 'is no option of run' auth-guard shim install mytool -- word
[ -z "$(ls -A "$SHIMS" 2>/dev/null)" ] || fail "a refused install left something"
ok auth-guard shim list
refused 'there is no shim' auth-guard shim remove glab

say "install says what it means, and how PATH is changed; changes no file"
find "$HOME" -maxdepth 1 -name '.*rc' -o -maxdepth 1 -name '.*profile' | sort >"$C/rc"
SHELL=/bin/zsh ok auth-guard shim install mytool -- --no-isolate --purpose 'a test' --name 'my shim'
has "$ERR" "means: auth-guard run --no-isolate --purpose a test --name my shim -- mytool"
has "$ERR" '~/.zshrc'
[ "$OUT" = "export PATH='$SHIMS':\"\$PATH\"" ] || fail "not a line: $OUT"
find "$HOME" -maxdepth 1 -name '.*rc' -o -maxdepth 1 -name '.*profile' | sort |
    cmp - "$C/rc" || fail "a start-up file was made"
has "$(SHELL=/usr/bin/fish auth-guard shim install mytool --json | jq -r .line)" fish_add_path
[ "$(stat -c %a "$SHIMS" "$SHIMS/mytool" "$SHIMS/.mytool.json" | xargs)" = "700 700 600" ] ||
    fail "open to others: $(stat -c '%a %n' "$SHIMS"/* "$SHIMS"/.m*)"

eval "$(auth-guard shim install mytool 2>/dev/null)" # made anew: it keeps its options
[ "$(command -v mytool)" = "$SHIMS/mytool" ] || fail "the shim is not first"
ok auth-guard shim install mytool
[ -z "$OUT" ] || fail "told to change PATH again: $OUT"
ok auth-guard shim list --json
has "$OUT" '"my shim"'
has "$OUT" '"state":"ready"'

say "the name means a task: arguments, standard input and exit code pass"
run mytool 'a  b' --help -- '*' ''
[ $RC -eq 7 ] || fail "exit $RC: $OUT $ERR"
has "$OUT" 'class task'
has "$OUT" 'arg <a  b>
arg <--help>
arg <-->
arg <*>
arg <>'
has "$OUT" pipe
hasnt "$OUT" 'shims in PATH'
has "$(auth-guard task list --json)" '"name":"my shim"'
echo 'by standard input' | mytool read >"$C/read"
grep -qx 'by standard input' "$C/read" || fail "standard input: $(cat "$C/read")"
# A terminal, in this session: it is the one that is approved.
cat >"$S/on_terminal.py" <<'T'
import os, pty, subprocess, sys
ours, theirs = pty.openpty()
tool = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs, stderr=theirs)
os.close(theirs)
try:
    while part := os.read(ours, 4096):
        os.write(1, part)
except OSError:
    pass
sys.exit(tool.wait())
T
run python3 "$S/on_terminal.py" mytool tty
has "$OUT" terminal
[ $RC -eq 7 ] || fail "exit $RC on a terminal"
run env -i HOME="$HOME" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" PATH=/usr/bin:/bin "$SHIMS/mytool" x
[ $RC -eq 7 ] || fail "by its path alone: exit $RC $ERR"

say "by its login: a profile that knows the command"
VALUE=$(canary glpat-)
printf 'hosts:\n  gitlab.com:\n    token: %s\n' "$VALUE" >"$HOME/config.yml"
auth-guard put glab/default <"$HOME/config.yml" >"$C/out" 2>&1 || fail put
rm "$HOME/config.yml"
ok auth-guard shim install glab
has "$ERR" 'auth-guard run --profile glab -- glab'

say "inside a task a shim runs the program itself, however it is called"
for name in mytool "$SHIMS/mytool"; do
    run auth-guard run --no-isolate --name outer -- sh -c 'PATH=$0:$PATH exec "$1" inner' "$SHIMS" "$name"
    [ $RC -eq 7 ] || fail "$name in a task: exit $RC $ERR"
    has "$OUT" 'class task'
    has "$OUT" 'arg <inner>'
done
[ "$(auth-guard task list --json | jq '[.tasks[] | select(.name == "my shim")] | length')" -eq 4 ] ||
    fail "a task within a task: $(auth-guard task list)"
run mytool nest "$SHIMS/mytool" nest mytool last
[ $RC -eq 7 ] || fail "nested: exit $RC $ERR"
has "$OUT" 'arg <last>'

say "isolated, they are out of sight"
run auth-guard run --isolate -- sh -c 'command -v mytool; ls "$0"' "$SHIMS"
[ "$(sed -n 1p <<<"$OUT")" = "$HOME/bin/mytool" ] || fail "in the view: $OUT $ERR"
hasnt "$OUT$ERR" .mytool.json

say "a shim is not found as the program of another, nor of another vault"
mkdir "$HOME/older"
sed 's/shim exec mytool/shim exec loop/' "$SHIMS/mytool" >"$HOME/older/loop"
chmod 755 "$HOME/older/loop"
PATH=$HOME/older:$PATH refused "there is no program 'loop'" auth-guard shim install loop -- --name l
cp "$HOME/lib/tool.sh" "$HOME/other/loop"
PATH=$HOME/older:$PATH:$HOME/other ok auth-guard shim install loop -- --name l
has "$ERR" "$HOME/other/loop"
cd "$HOME/other" || exit 70
PATH=.:$BIN:/usr/bin:/bin refused "there is no program 'loop'" auth-guard shim install loop
cd "$HOME/work" || exit 70

changed() { # WHAT WORD: none of it is started
    run mytool x
    [ $RC -eq 125 ] || fail "$1: exit $RC $OUT"
    has "$ERR" "$2"
    has "$ERR" 'auth-guard shim install mytool'
    hasnt "$OUT" 'arg <x>'
    run auth-guard run --no-isolate -- "$SHIMS/mytool" x
    [ $RC -eq 125 ] || fail "$1, in a task: exit $RC"
}
say "a changed program is not started until it is installed again"
cp -p "$HOME/lib/tool.sh" "$S/tool"
touch -d '2 days ago' "$HOME/lib/tool.sh"
run mytool x
[ $RC -eq 7 ] || fail "only its time changed: exit $RC $ERR"
sed -i 's/pipe/PIPE/' "$HOME/lib/tool.sh"
touch -r "$S/tool" "$HOME/lib/tool.sh"
changed "same size and time" 'has changed'
has "$(auth-guard shim list)" changed
ok auth-guard shim install mytool
run mytool x
[ $RC -eq 7 ] || fail "installed anew: exit $RC $ERR"
has "$(auth-guard task list --json | jq -r '.tasks[0].name')" 'my shim'
cp "$HOME/lib/tool.sh" "$HOME/lib/same.sh"
ln -sf ../lib/same.sh "$HOME/bin/mytool"
changed "the same bytes elsewhere" 'has changed'
rm "$HOME/bin/mytool"
changed "gone" 'gone'
has "$(auth-guard shim list)" gone
ln -s ../lib/tool.sh "$HOME/bin/mytool"
run mytool x
[ $RC -eq 7 ] || fail "put back: exit $RC $ERR"
printf x >>"$SHIMS/.mytool.json"
changed "a damaged record" 'is damaged'
has "$(auth-guard shim list)" damaged
ok auth-guard shim install mytool --profile glab=glab/default
has "$ERR" '--profile glab=glab/default'

say "as run refuses, so does a shim"
ok auth-guard lock
run mytool x
[ $RC -eq 125 ] || fail "locked: exit $RC"
has "$ERR" unlock
ok auth-guard unlock

say "a vault elsewhere has shims of its own, which name it"
run env AUTH_GUARD_HOME="$HOME/it's" auth-guard shim install loop --json -- --name x
[ $RC -ne 0 ] || fail "found a shim as a program"
PATH=$HOME/other:$PATH AUTH_GUARD_HOME="$HOME/it's" ok auth-guard shim install loop -- --name x
run "$HOME/it's/shims/loop"
[ $RC -eq 125 ] || fail "another vault: exit $RC"
has "$ERR" "there is no vault in $HOME/it's"

say "removed: the name means the program again"
ok auth-guard shim remove mytool glab loop
[ -z "$(ls -A "$SHIMS")" ] || fail "left: $(ls -A "$SHIMS")"
hash -r
[ "$(command -v mytool)" = "$HOME/bin/mytool" ] || fail "still a shim"
refused 'there is no shim' auth-guard shim remove mytool
audit_verifies
no_leak
