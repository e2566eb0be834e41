# P7: an isolated task reaches neither vault, sockets, other tasks, nor what is
# hidden, whatever it tries; its ordinary work gets done; the kind of isolation is
# on the record; nothing is left.
# timeout: 900
. "$SRC/tests/e2e/isolated_lib.sh"
vault
value=$(canary)
printf %s "$value" | auth-guard put web/key >/dev/null 2>&1 || fail put
outside
works_outside 45
escapes workspace --isolate
escapes offline --isolate=offline
escapes strict --isolate=strict
escapes terminal --isolate --pty
grep -qx 'refused typing into the terminal: EPERM' "$S/terminal.out" || fail "TIOCSTI was not tried on a terminal"

# ---- ordinary work ----
inside() { # the shell's text, after options of run up to --
    local options=()
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    run timeout 60 auth-guard run --isolate "${options[@]}" -- bash -c "$2"
}
rm -f "$TREE"/link-*
inside -- 'echo hello >file && git add file && git commit -qm one && git log --oneline | wc -l'
[ "$RC $OUT" = '0 1' ] || fail "git commit: $RC $OUT $ERR"
[ "$(git -C "$TREE" log --format=%s)" = one ] || fail "the commit is not outside"
if command -v cc >/dev/null && command -v make >/dev/null; then
    inside -- 'printf "int main(void){return 7;}\n" >p.c && printf "p: p.c\n\tcc -o p p.c\n" >Makefile && make -s p && ./p'
    [ $RC -eq 7 ] || fail "make: $RC $OUT $ERR"
fi
inside -- 'exit 42'
[ $RC -eq 42 ] || fail "exit code: $RC"
inside -- 'kill -TERM $$'
[ $RC -eq 143 ] || fail "signal: $RC"
inside --pty -- 'tty <&1; stty size <&1 >&2 && echo a terminal'
has "$OUT" /dev/pts/
has "$OUT" "a terminal"
inside -- 'cat ~/.gitconfig; echo x >~/.cache-file; mkdir -p ~/.cache/y; echo y >/tmp/y; cat ~/.cache-file /tmp/y'
has "$OUT" example.org
[ ! -e "$HOME/.cache-file" ] && [ ! -e "$HOME/.cache/y" ] && [ ! -e /tmp/y ] || fail "the layer is not thrown away"
inside --env "X=ag://web/key" -- 'test ${#X} -gt 20 && echo "$X"'
[ $RC -eq 0 ] || fail "a value by --env: $ERR"
hasnt "$OUT" "$value" "an isolated task's output"
inside -- 'unshare -Urm sh -c "mount -t tmpfs t /tmp && echo nested"'
has "$OUT" nested
inside --ro "$BIN" --grant web/key:read -- 'auth-guard token show >/dev/null 2>&1; test -n "$AUTH_GUARD_TOKEN" && auth-guard get web/key | wc -c'
[ "$OUT" = "$((${#value} + 1))" ] || [ "$OUT" = "${#value}" ] || fail "a granted value by task.sock: $RC $OUT $ERR"
# A tree below /tmp, of which the task has one of its own; and no mount lies over
# another, so that nothing of the host's root is left below the task's.
TMPTREE=$(mktemp -d /tmp/age2e.XXXXXX)
at_end "rm -rf '$TMPTREE'"
mkdir "$TMPTREE/.git"
cd "$TMPTREE" || exit 70
inside -- 'echo done >made && ls /tmp | wc -l; cut -d" " -f5 /proc/self/mountinfo | sort | uniq -d'
[ "$RC $OUT" = '0 1' ] && [ -e "$TMPTREE/made" ] || fail "a tree below /tmp: $RC $OUT $ERR"
cd "$TREE" || exit 70
# The root and /dev are closed, four places are open, whatever the umask.
umask 077
inside -- 'for d in / /dev /usr /var /proc/sys; do : >"$d/new" && echo "wrote $d"; done 2>/dev/null
    for d in /run /tmp /var/tmp /dev/shm; do : >"$d/new" || echo "closed $d"; done
    stat -c "%a%n" / /dev /run /tmp /var/tmp /dev/shm | tr "\n" " "; head -c 3 /dev/zero | tee /dev/full 2>&1 >/dev/null | grep -c "No space"'
umask 022
[ "$OUT" = "755/ 755/dev 755/run 1777/tmp 1777/var/tmp 1777/dev/shm 1" ] || fail "places of the view: $RC $OUT $ERR"
say "ordinary work gets done"

# ---- options ----
put "$HOME/shared/a"
put "$HOME/other/b"
inside --ro "$HOME/shared" --rw "$HOME/other" --hide "$HOME/.profile" -- \
    'cat ~/shared/a >/dev/null || echo no-ro; echo x 2>/dev/null >~/shared/new && echo wrote-ro; echo x >~/other/new || echo no-rw; test -e ~/.profile && echo seen'
[ "$RC $OUT" = '1 ' ] && [ -e "$HOME/other/new" ] && [ ! -e "$HOME/shared/new" ] || fail "--ro, --rw, --hide: $RC $OUT $ERR"
inside --ro "$HOME/.aws/credentials" -- 'cat ~/.aws/credentials; cat ~/.aws/sso/cache/a.json'
[ "$OUT" = "$MARK" ] || fail "one hidden place opened by name: $OUT $ERR"
inside --rw "$HOME/.aws" -- 'cat ~/.aws/credentials ~/.aws/sso/cache/a.json; echo new >~/.aws/config'
hasnt "$OUT" "$MARK" "a task that was given the folder of a hidden file"
inside -- 'mkdir evil && printf "[core]\n\tfsmonitor = touch %s\n" "$PWD/ran" >evil/config && echo ../evil >.git/commondir'
has "$ERR" .git/commondir
git -C "$TREE" status >/dev/null 2>&1
[ ! -e "$TREE/.git/commondir" ] && [ ! -e "$TREE/ran" ] || fail "git runs what the task chose"
# The same by the file of one worktree, where the person's repository reads it.
git -C "$TREE" config extensions.worktreeConfig true
worktree='printf "[core]\n\tfsmonitor = touch %s\n" "$PWD/ran" >.git/config.worktree'
inside -- "$worktree"
has "$ERR" .git/config.worktree
git -C "$TREE" status >/dev/null 2>&1
[ ! -e "$TREE/.git/config.worktree" ] && [ ! -e "$TREE/ran" ] || fail "git runs what the task chose for a worktree"
printf '[core]\n\tsparseCheckout = false\n' >"$TREE/.git/config.worktree"
inside -- "$worktree"
[ $RC -ne 0 ] && grep -q sparse "$TREE/.git/config.worktree" || fail "a worktree's configuration was written: $RC $ERR"
rm "$TREE/.git/config.worktree"
git -C "$TREE" config --unset extensions.worktreeConfig
rm -rf "$TREE/evil"
inside --keep-home "$S/kept" -- 'echo kept >~/note; mkdir -p ~/.ssh; echo own >~/.ssh/config; rm -f ~/.bashrc'
inside --keep-home "$S/kept" -- 'cat ~/note ~/.ssh/config; cat ~/.ssh/id_rsa ~/.bashrc'
[ "$OUT" = $'kept\nown' ] || fail "--keep-home: $OUT $ERR"
[ -e "$HOME/.bashrc" ] && [ -e "$HOME/.ssh/id_rsa" ] || fail "--keep-home changed the home"
no() { # SENTENCE OPTION…
    local want=$1
    shift
    run auth-guard run "$@" -- true
    [ $RC -eq 125 ] || fail "was taken: $* ($RC)"
    has "$ERR" "$want"
}
no "no preset 'nonsense'; take workspace" --isolate=nonsense
no "exclude each other" --isolate --no-isolate
no "no meaning with --no-isolate" --no-isolate --ro /srv
no "No such file" --isolate --ro /nonexistent
no "whole home" --isolate --rw "$HOME"
no "whole home" --isolate --ro /
no "auth-guard's own" --isolate --ro "$VAULT"
no "reached by the task" --isolate --keep-home "$TREE/keep"
no "hide your home" --isolate --hide "$HOME"
(cd "$HOME" && no "whole home" --isolate) || exit 1
(cd "$VAULT" && no "auth-guard's own" --isolate) || exit 1
say "wrong options are refused by a sentence"

# ---- on the record ----
ok auth-guard run --isolate=offline --rw "$HOME/other" --name kept-apart -- true
id=$(auth-guard task list --json | jq -r '[.tasks[] | select(.name == "kept-apart")][0].id')
ok auth-guard task show "$id"
has "$OUT" "offline: network none, home layer, rw $HOME/other"
audit_has kept-apart "offline: network none"
ok auth-guard run --no-isolate --name on-purpose -- true
audit_has on-purpose "none, on purpose"
ok auth-guard run --name unsaid -- sh -c 'test ! -e ~/.ssh/id_rsa && test ! -e /run/systemd'
audit_has unsaid "workspace: network broker"
audit_verifies
say "how a task is kept apart is on the record"

# ---- the end ----
auth-guard run --isolate -- sh -c 'setsid sleep 471147 & echo >ready; exec sleep 471147' >/dev/null 2>&1 &
pid=$!
within 10 test -e "$TREE/ready" || fail "the task did not start"
kill -KILL $pid
none_sleeps() { ! pgrep -u "$(id -u)" -x -a sleep | grep -q 471147; }
within 1 none_sleeps || fail "processes are left"
[ "$(grep -c "$HOME" /proc/self/mounts)" = 0 ] || fail "mounts are left"
say "nothing is left of a task that was shot"
rm -f "$TREE/outside.json" "$C/outside.out"
no_leak
