# P5 where redaction meets people: a check that changes nothing, git's hooks in a
# real repository.
. "$SRC/tests/e2e/lib.sh"

letters() { head -c $(($1 * 8)) /dev/urandom | base64 -w0 | tr -dc 'A-Za-z0-9' | head -c "$1"; }
GITHUB=ghp_$(letters 36)
printf 'one\ntwo %s\nthree\n' "$GITHUB" >"$S/text"
said() { # STATUS STDOUT STDERR: of the last run
    [ $RC -eq "$1" ] || fail "exit $RC, not $1: $ERR $OUT"
    [ "$OUT" = "$2" ] || fail "on stdout: $OUT"
    [ "$ERR" = "$3" ] || fail "on stderr: $ERR"
}

say "redact --check without a vault: when rules are asked for"
run auth-guard redact --check "$S/text"
[ $RC -eq 69 ] && [ -z "$OUT" ] || fail "without a vault and without --rules: exit $RC $OUT"
run auth-guard redact --check --rules default "$S/text"
said 1 '' "$S/text:2:5: looks like a secret (rule github-token)"
run sh -c 'cat "$1" | auth-guard redact --check --rules default' sh "$S/text"
said 1 '' "-:2:5: looks like a secret (rule github-token)"
run sh -c 'echo nothing | auth-guard redact --check --rules default'
said 0 '' ''
run auth-guard redact --check --rules default --json "$S/text"
said 1 "{\"findings\":[{\"file\":\"$S/text\",\"line\":2,\"column\":5,\"offset\":8,\"name\":\"rule:github-token\",\"form\":\"raw\"}],\"count\":1}" ''
run auth-guard redact --check --rules default "$S/none"
[ $RC -eq 66 ] || fail "a file that is not there: exit $RC"
run auth-guard redact --check --rules default --report "$S/report" "$S/text"
[ $RC -eq 64 ] && [ ! -e "$S/report" ] || fail "with a report: exit $RC"

say "with one: its values too, by name to its operator, in every form"
vault
VALUE=$(canary)
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
{ printf 'a "%s"\n' "$VALUE"; printf %s "$VALUE" | base64 -w0; echo; } >>"$S/text"
run auth-guard redact --check "$S/text"
said 1 '' "$S/text:2:5: looks like a secret (rule github-token)
$S/text:4:4: holds the value of web/key
$S/text:5:1: holds the value of web/key, as base64"
run auth-guard redact --check --rules known "$S/text"
said 1 '' "$S/text:4:4: holds the value of web/key
$S/text:5:1: holds the value of web/key, as base64"
cat >"$S/mine.json" <<'JSON'
{"rules": 1, "group": "mine", "title": "Mine", "items": [{"id": "badge", "service": "us",
 "description": "a badge", "source": "our handbook", "regex": "BADGE-[0-9]{6}", "keywords": ["BADGE-"],
 "examples": ["«BADGE-‹digits:6›»"], "negatives": ["BADGE-12"]}]}
JSON
run sh -c 'printf "%s and BADGE-123456\n" "$2" | auth-guard redact --check --rules-file "$1"' sh "$S/mine.json" "$VALUE"
said 1 '' "-:1:1: holds the value of web/key
-:1:$((${#VALUE} + 6)): looks like a secret (rule badge)"
cp "$S/text" "$TREE/text"
run auth-guard run --no-isolate -- auth-guard redact --check --rules known text
said 1 '' "text:4:4: holds a value of the vault
text:5:1: holds a value of the vault, as base64"
run auth-guard run "${INSIDE[@]}" -- auth-guard redact --check text
[ $RC -eq 69 ] || fail "exit $RC: $OUT $ERR"
has "$ERR" "can't be looked for from inside an isolated task"
rm "$TREE/text"
auth-guard lock >/dev/null 2>&1
run auth-guard redact --check "$S/text"
[ $RC -eq 69 ] && [ -z "$OUT" ] || fail "locked: exit $RC $OUT"
auth-guard unlock >/dev/null 2>&1 || fail unlock

# ---- git ----
git config --global user.email nobody@example.org
git config --global user.name Nobody
git config --global init.defaultBranch main
git config --global advice.detachedHead false
R=$TREE/repo
git init -q --bare "$S/up.git" && git init -q "$R" && cd "$R" || fail "no repository"
git remote add origin "$S/up.git"
said_git() { # STATUS WORDS…: of the last run
    local want=$1
    shift
    [ $RC -eq "$want" ] || fail "exit $RC, not $want: $ERR $OUT"
    while [ $# -gt 0 ]; do
        has "$ERR" "$1"
        shift
    done
    hasnt "$ERR$OUT" "$VALUE" "what git said"
    hasnt "$ERR$OUT" "$GITHUB" "what git said"
}
committed() { git log --format=%s -1 2>/dev/null; }

say "git: installed beside a hook that is there, twice, and what is there says no"
printf '#!/bin/sh\necho other-hook >&2\n[ ! -e .no ] || exit 7\n' >.git/hooks/pre-commit
printf '#!/bin/sh\n[ ! -e .read ] || { read a; echo "got $a" >&2; }\n' >.git/hooks/pre-push
chmod +x .git/hooks/pre-commit .git/hooks/pre-push
cp .git/hooks/pre-commit "$S/other"
ok auth-guard hook install git
ok auth-guard hook install git
cmp -s .git/hooks/pre-commit.before-auth-guard "$S/other" || fail "the other hook is not kept"
[ "$(auth-guard hook list --json | jq -r '.hooks[] | "\(.hook) \(.state)"')" = "pre-commit runs the one before too
commit-msg ready
pre-push runs the one before too" ] || fail "$(auth-guard hook list)"
refused 'not post-commit' auth-guard hook install git --hooks pre-commit,post-commit
refused 'no git repository' auth-guard hook install git "$S"
touch .no
git add .no
run git commit -m no
said_git 1 other-hook
run .git/hooks/pre-commit
[ $RC -eq 7 ] || fail "the other hook's exit code: $RC"
rm .no
git rm -q --cached .no

say "git: what is staged, by file and line, in a repository without commits too"
printf 'a\nkey = "%s"\n' "$VALUE" >config.py
mkdir 'ä b'
printf '%s\n' "$GITHUB" >"ä b/t\"x"
git add .
run git commit -m first
said_git 1 'config.py:2:8 holds the value of web/key; write ag://web/key there' \
    'ä b/t"x:1:1 looks like a secret (rule github-token)' 'nothing was committed' 'git add'
hasnt "$ERR" --no-verify "where a value was found"
[ -z "$(committed)" ] || fail "it was committed"
echo clean >"ä b/t\"x"
printf 'a\nkey = "ag://web/key"\n' >config.py
git add .
printf 'x = "%s"\n' "$VALUE" >>config.py # not staged
ok git commit -m first
git checkout -q config.py
printf 'value %s\n' "$(printf %s "$VALUE" | base64 -w0)" >>config.py
printf '\0\1\2%s' "$GITHUB" >image.bin
git add .
run git commit -m second
said_git 1 'config.py:3:7 holds the value of web/key, as base64'
hasnt "$ERR" image.bin:1 "what is said of a binary file"
has "$ERR" 'not looked into, since git takes them for binary: image.bin'
git reset -q --hard

say "git: what was there before is not looked at again"
printf '1\n2\n3\n4\n5\n6\n7\n%s\n' "$GITHUB" >old
git add old
ok git commit --no-verify -m old
git mv old new
echo 9 >>new
git add new
ok git commit -m renamed
git rm -q new
ok git commit -m removed
git reset -q --hard HEAD~3

say "git: the message"
run git commit --allow-empty -m "say $VALUE"
said_git 1 'the message:1:5 holds the value of web/key'
printf '%s\n' "$GITHUB" >t
git add t
git commit -q --no-verify -m t
git rm -q t
cat >"$S/editor" <<'SH'
#!/bin/sh
{ echo a subject; cat "$1"; } >"$1.new" && mv "$1.new" "$1"
SH
chmod +x "$S/editor"
ok env GIT_EDITOR="$S/editor" git commit -v
[ "$(committed)" = "a subject" ] || fail "commit -v: $(committed)"
git reset -q --hard HEAD~2

say "git: a push, of what the remote does not have"
ok git push -q origin main
printf '%s\n' "$GITHUB" >t
git add t
git commit -q --no-verify -m "has $VALUE"
BAD=$(git rev-parse HEAD)
git rm -q t
git commit -q -m 'not any more'
run git push -q origin main
said_git 1 "commit ${BAD:0:12}, t:1:1 looks like a secret" "commit ${BAD:0:12}, its message:1:5 holds the value of web/key" \
    'nothing was pushed'
[ "$(git -C "$S/up.git" rev-parse main)" = "$(git rev-parse HEAD~2)" ] || fail "it was pushed"
run git push -q origin HEAD:refs/heads/other
said_git 1 "commit ${BAD:0:12}"
run git push -q "$S/up.git" main
said_git 1 "commit ${BAD:0:12}"
git checkout -q -b side HEAD~2
echo side >side
git add side
git commit -q -m side
ok git push -q origin side
git checkout -q main
ok git push -q --no-verify origin main # now it has it
git init -q --bare "$S/fork.git"
run git push -q "$S/fork.git" main # which has not
said_git 1 "commit ${BAD:0:12}"
git commit -q --allow-empty -m later
touch .read
ok git push -q origin main
has "$ERR" "got refs/heads/main"
ok git push -q origin :side
git merge -q -m merged side || fail "no merge"
ok git push -q origin main

say "git: a merge is asked for what it adds itself"
git checkout -q -b left && echo left >m && git add m && git commit -q -m left || fail left
git checkout -q -b right HEAD~1 && echo right >m && git add m && git commit -q -m right || fail right
git merge -q left >/dev/null 2>&1
printf '%s\n' "$GITHUB" >m
git add m
git commit -q --no-verify -m 'both' || fail both
run git push -q origin right
said_git 1 "commit $(git rev-parse HEAD | cut -c 1-12), m:1:1 looks like a secret"
git checkout -q main

say "git: a locked vault is told once and rules are used; or nothing is committed"
auth-guard lock >/dev/null 2>&1
printf '%s\n' "$VALUE" >v
printf 'ok\n' >w
git add w
run git commit -m locked
said_git 0 'not the vault'
[ "$(grep -c 'not the vault' <<<"$ERR")" -eq 1 ] || fail "not once: $ERR"
git rm -q --cached w
printf '%s\n' "$GITHUB" >w
git add w
run git commit -m locked
said_git 1 'w:1:1 looks like a secret'
git reset -q --hard
ok auth-guard hook install git --require-vault
git add v
run git commit -m locked
said_git 1 'the vault is locked'
auth-guard unlock >/dev/null 2>&1 || fail unlock
run git commit -m unlocked
said_git 1 'v:1:1 holds the value of web/key'
run neighbour git commit -m neighbour
said_git 1 'only the operator may'
ok auth-guard hook install git
git reset -q --hard
rm -f v

say "git: by a task"
printf '%s\n' "$GITHUB" >w
git add w
run auth-guard run --no-isolate -- git commit -m task
said_git 1 'w:1:1 looks like a secret'
run auth-guard run --ro "$(dirname "$BIN")" -- git commit -m task
said_git 1 'w:1:1 looks like a secret' "can't be looked for from inside an isolated task"
git reset -q --hard

say "git: removed, and what was there before is back"
ok auth-guard hook remove git
cmp -s .git/hooks/pre-commit "$S/other" || fail "the other hook is not back"
[ ! -e .git/hooks/commit-msg ] && [ ! -e .git/hooks/pre-commit.before-auth-guard ] || fail "something is left"
refused 'no hook of auth-guard' auth-guard hook remove git
ok auth-guard hook install git --hooks pre-push
[ ! -e .git/hooks/commit-msg ] || fail "more than was asked for"
sed -i 's,^program=.*,program=/nowhere/auth-guard,' .git/hooks/pre-push
git commit -q --allow-empty -m gone
run git push -q origin main
said_git 1 '/nowhere/auth-guard is gone'
ok auth-guard hook remove git

say "git: all repositories, whose own hooks go on"
ok auth-guard hook install git --global
[ "$(git config --global core.hooksPath)" = "$HOME/.config/git/auth-guard-hooks" ] || fail "$(git config --global core.hooksPath)"
printf '#!/bin/sh\necho own-post-commit >&2\n' >.git/hooks/post-commit
chmod +x .git/hooks/post-commit
printf '%s\n' "$GITHUB" >w
git add w
run git commit -m all
said_git 1 other-hook 'w:1:1 looks like a secret'
echo clean >w
git add w
run git commit -m all
said_git 0 other-hook own-post-commit
ok auth-guard hook remove git --global
[ -z "$(git config --global core.hooksPath)" ] && [ ! -e "$HOME/.config/git/auth-guard-hooks" ] || fail "something is left"
cd "$TREE" || exit 70
