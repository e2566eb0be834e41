# P7: what a task leaves in a repository does not run when the person says git
# there: not by the repository's own files, a submodule's, a worktree's, an
# included file or a directory of hooks, nor by a repository that it made.
. "$SRC/tests/e2e/lib.sh"
vault
ok git config --global user.name t
ok git config --global user.email t@example.org
ok git config --global protocol.file.allow always
ok git config --global init.defaultBranch main
RAN=$S/ran
CONF='[core]\n\tfsmonitor = touch '$RAN'\n\tpager = touch '$RAN'\n[diff]\n\texternal = touch '$RAN'\n'

say "a repository with all that git reads"
lib=$S/lib
ok git init -q "$lib"
git -C "$lib" commit -q --allow-empty -m lib
cd "$TREE" || exit 70
ok git init -q
echo one >file
mkdir hooks.d nested
echo '[alias]' >shared.gitconfig
ok git config include.path ../shared.gitconfig
ok git config --add include.path ../later.gitconfig
ok git config core.hooksPath hooks.d
ok git submodule --quiet add "$lib" sub
ok git submodule --quiet add "$lib" deep/er
git add file shared.gitconfig
ok git commit -q -m first
ok git worktree add -q "$S/linked"
git init -q nested # there before, with programs of the person's own
ok git -C nested config core.fsmonitor false
ok git -C nested commit -q --allow-empty -m nested
cp -a .git "$C/git.before"

outside() { # what a person does; nothing of the task's runs
    local dir
    for dir in . sub deep/er nested new new/er "$S/linked" "$@"; do
        [ -e "$dir" ] || continue
        (cd "$dir" && git status && git diff && git log -1 && git stash list && git branch -a &&
            git submodule status && git commit -q --allow-empty -m x) </dev/null >"$C/git" 2>&1
        [ ! -e "$RAN" ] || fail "git ran what the task chose in $dir, by: $PLANT"
    done
}
task() { # SCRIPT WANTED-IN-STDERR
    PLANT=$1
    run auth-guard run -- sh -c "$1; true"
    [ $RC -eq 0 ] || fail "exit $RC: $1 :: $ERR"
    has "$ERR" "$2"
    outside "${@:3}"
    tried=$((tried + 1))
}
quiet() { # SCRIPT: nothing is found, nor in the way
    run auth-guard run -- sh -ec "$1"
    [ $RC -eq 0 ] || fail "exit $RC: $1 :: $ERR"
    hasnt "$ERR" 'the task made' "the words at the end: $ERR"
    hasnt "$ERR" 'look at it' "the words at the end: $ERR"
    tried=$((tried + 1))
}
tried=0
PLANT=nothing
outside
hook='printf "#!/bin/sh\ntouch '$RAN'\n" >H; chmod 755 H; mkdir -p D; for h in pre-commit post-index-change post-checkout; do cp H D/$h; done; rm H'
in_dir() { printf %s "${hook//D/$1}"; }
conf="printf '$CONF'"

say "what was there can't be changed"
for file in .git/config shared.gitconfig; do
    task "$conf >>$file" ''
done
for dir in .git/hooks .git/modules/sub/hooks .git/modules/deep/er/hooks hooks.d; do
    task "$(in_dir $dir)" ''
done
for dir in .git .git/modules .git/modules/sub .git/modules/deep .git/modules/deep/er .git/worktrees/linked; do
    task "python3 -c 'import os; os.rename(\"$dir\", \"away\")' && { mkdir $dir; $conf >$dir/config; }" ''
    [ ! -e away ] || fail "$dir was renamed"
done
task "mkdir evil; $conf >evil/config; echo ../../../evil >.git/worktrees/linked/commondir; echo $TREE/evil >.git/worktrees/linked/commondir; rm -r evil" ''
for file in sub/hooks deep/er/hooks; do
    diff -r "$C/git.before/modules/$file" .git/modules/$file >/dev/null || fail "$file was changed"
done

say "what is new is named and moved aside"
for dir in .git/modules/sub .git/modules/deep/er; do
    task "$conf >>$dir/config" "$dir/config, by which"
    [ -e $dir/config.from-task ] || fail "$dir/config is lost"
    rm $dir/config.from-task
    cp "$C/git.before/modules/${dir#.git/modules/}/config" $dir/config
done
ok git -C sub config alias.mine '!true' # the person's own
quiet 'git submodule --quiet update && git -C sub config user.name x'
task "git -C sub config alias.mine '!touch $RAN'" .git/modules/sub/config
cp "$C/git.before/modules/sub/config" .git/modules/sub/config
task "mkdir evil; echo ref: refs/heads/x >evil/HEAD; $conf >evil/config; echo ../evil >.git/commondir; rm -r evil" .git/commondir
git config extensions.worktreeConfig true
task "$conf >.git/config.worktree" .git/config.worktree
for _ in {1..20}; do # what was written just before is not the task's
    printf '[core]\n\tsparseCheckout = false\n' >.git/config.worktree
    quiet true
done
rm .git/config.worktree
git config --unset extensions.worktreeConfig
task "$conf >later.gitconfig" later.gitconfig.from-task
[ -e later.gitconfig.from-task ] && [ ! -e later.gitconfig ] || fail "not moved aside"
task "git init -q new && $conf >>new/.git/config" 'new/.git/config, by which' && rm -rf new
task "git init -q new && $conf >>new/.git/config && mkdir new/.git/config.from-task" config.from-task.2 && rm -rf new
task "git init -q new && $(in_dir new/.git/hooks)" new/.git/hooks/pre-commit && rm -rf new
task "git init -q new && $(in_dir own) && rm -r new/.git/hooks && ln -s ../../own new/.git/hooks" new/.git/hooks && rm -rf new own
task "git init -q new/er && $conf >c && rm new/er/.git/config && ln -s ../../../c new/er/.git/config" new/er/.git/config && rm -rf new c
task "git init -q new && $conf >>new/.git/config && git -C new -c core.fsmonitor= commit -q --allow-empty -m x &&
    git update-index --add --cacheinfo 160000,\$(git -C new -c core.fsmonitor= rev-parse HEAD),new" new/.git/config
ok git rm -qf --cached new && rm -rf new
task "git clone -q --bare .git new && $conf >>new/config" new/config && rm -rf new
task "git clone -q --bare .git store/refs/x && $conf >>store/refs/x/config && mkdir new && echo gitdir: ../store/refs/x >new/.git" store/refs/x/config && rm -rf new store
task "git clone -q --bare .git .git/refs/x && $conf >>.git/refs/x/config && mkdir new && echo gitdir: $TREE/.git/refs/x >new/.git" .git/refs/x/config && rm -rf new .git/refs/x
task "git clone -q --bare .git store && $conf >>store/config && mkdir new && ln -s ../store new/.git" store/config && rm -rf new store
task "git init -q new && mkdir evil && cp -a new/.git/. evil && $conf >>evil/config && echo $TREE/evil >new/.git/commondir" new/.git/commondir && rm -rf new evil
task "$conf >>nested/.git/config" nested/.git/config
mv nested/.git/config.from-task nested/.git/config && ok git -C nested config --remove-section diff && ok git -C nested config --unset-all core.fsmonitor && git -C nested config --unset-all core.pager
task "git -c protocol.file.allow=always clone -q --bare .git .git/modules/new && $conf >>.git/modules/new/config &&
    mkdir new && echo gitdir: ../.git/modules/new >new/.git" .git/modules/new/config && rm -rf new .git/modules/new
# In two steps: the file first, where no repository is, then what makes it one.
quiet "mkdir -p new/.git; $conf >new/.git/config"
PLANT=steps
run auth-guard run -- sh -c 'cd new/.git && mkdir objects refs && echo "ref: refs/heads/main" >HEAD'
has "$ERR" "new/.git/config names programs"
rm -rf new

say "ordinary work is not in the way"
ok git -C nested config core.pager cat # old by then
sleep 0.1
quiet 'git init -q new && cd new && git config user.name x && git commit -q --allow-empty -m x && git checkout -q -b y'
quiet 'git clone -q new copied && git -C copied checkout -q -b z && git -C nested commit -q --allow-empty -m x'
quiet "echo two >file && git add file && git commit -q --no-verify -m two && git -C sub checkout -q -b mine && git -C sub commit -q --allow-empty -m x && git submodule --quiet update"
quiet "git worktree add -q $TREE/wt && git -C wt commit -q --no-verify --allow-empty -m x && git worktree remove wt"
rm -rf new copied
outside
say "$tried points tried"
