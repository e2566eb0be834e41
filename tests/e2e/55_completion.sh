# Tab in real shells: verbs, options, their values, files, a task's command, and
# names of secrets, these only where the session may see them; never a prompt.
. "$SRC/tests/e2e/lib.sh"
for program in bash zsh fish; do
    command -v $program >/dev/null || fail "no $program here: packaging/deps.sh test"
done
SHARE=$BIN/../share
keys() { /usr/bin/python3 "$SRC/tests/e2e/type_keys.py" "$@"; }

say "the package has what the program prints, and the shells can read it"
ZSH=$(find "$SHARE/zsh" -name _auth-guard)
for pair in "bash $SHARE/bash-completion/completions/auth-guard" "zsh $ZSH" \
    "fish $SHARE/fish/vendor_completions.d/auth-guard.fish"; do
    ok auth-guard completion "${pair%% *}"
    cmp -s "$C/out" "${pair#* }" || fail "not what is printed: $pair"
    ok "${pair%% *}" -n "${pair#* }"
done

vault
printf %s "$(canary tab_)" | auth-guard put team/tab-key || fail "put"
printf %s "$(canary tab_)" | auth-guard put team/tab-other || fail "put"
mkdir -p "$S/files/somewhere" && : >"$S/files/someone.txt" && cd "$S/files" || fail "cd"

# Each line: what is typed, and what then stands there or is listed.
lines() {
    cat <<'LINES'
auth-guard redac\t	redact
auth-guard rotate rul\tse\t	rotate rule set
auth-guard redact --rules-\t	redact --rules-file
auth-guard run --grade pro\t	run --grade proxy
auth-guard run --grade=pro\t	run --grade=proxy
auth-guard rotate rule set --rotator post\t	--rotator postgres
auth-guard mint set --minter git\t	--minter github-app
auth-guard redact --format mark\t	--format markdown
auth-guard redact --set someo\t	redact --set someone.txt
auth-guard redact --set=someo\t	redact --set=someone.txt
auth-guard redact somew\t	redact somewhere/
auth-guard watch transcripts some\t	watch transcripts somewhere/
auth-guard run -- someth1ng-to-r\t	run -- someth1ng-to-run
auth-guard run --grade file -- cat someo\t	-- cat someone.txt
auth-guard nothing-like-it \t	!one.txt
LINES
}
names() { # those of an approved session
    cat <<'LINES'
auth-guard unlock\n	The vault is open
auth-guard get team/tab-k\t	get team/tab-key
auth-guard wrap ag://team/tab-o\t	wrap ag://team/tab-other
auth-guard mint set --from team/tab-k\t	--from team/tab-key
LINES
}
none() { # of one that is not, though the passphrase is at hand
    printf 'auth-guard get team/tab-k\\t\t!team/tab-key\n'
}
mkdir "$S/here" && printf '#!/bin/sh\n' >"$S/here/someth1ng-to-run" &&
    chmod 755 "$S/here/someth1ng-to-run" || fail "no command"
export PATH="$S/here:$PATH"
{ none; lines; names; } >"$S/lines"
COUNT=$(wc -l <"$S/lines")
all_seen() { # SHELL…
    ok keys "$@" <"$S/lines"
    has "$OUT" "$COUNT seen"
}

say "bash, without and with Debian's bash-completion"
printf '%s\n' "PS1='> '; bind 'set enable-bracketed-paste off'" \
    "source '$SHARE/bash-completion/completions/auth-guard'" >"$S/bashrc"
all_seen bash --noprofile --rcfile "$S/bashrc" -i
[ -r /usr/share/bash-completion/bash_completion ] || fail "no bash-completion"
sed -i '1i source /usr/share/bash-completion/bash_completion' "$S/bashrc"
sed -i '/^source .*installed\|completions\/auth-guard/d' "$S/bashrc"
export XDG_DATA_DIRS=$SHARE:/usr/share # as its own prefix has it
all_seen bash --noprofile --rcfile "$S/bashrc" -i

say "zsh"
mkdir "$S/zdot" && printf '%s\n' "PS1='> '; unsetopt zle_bracketed_paste prompt_sp" \
    "fpath=('${ZSH%/*}' \$fpath); autoload -Uz compinit; compinit -u -D" >"$S/zdot/.zshrc"
ZDOTDIR=$S/zdot all_seen zsh -d -i

say "fish"
printf '%s\n' "function fish_prompt; echo '> '; end" "function fish_greeting; end" >"$S/fishrc"
all_seen fish --no-config -i -C "source '$S/fishrc'; source '$SHARE/fish/vendor_completions.d/auth-guard.fish'"

say "who may not see names asks for none, and a locked vault is not asked for its passphrase"
printf %s "$(canary tab_)" | auth-guard put -- --all || fail "put"
ok auth-guard completion words -- rm ''
has "$OUT" team/tab-key
hasnt "$OUT" --all "the words that may stand at rm"
ok auth-guard completion words -- get team/
has "$OUT" team/tab-key
ok neighbour auth-guard completion words -- get team/
[ -z "$OUT$ERR" ] || fail "a neighbour is told: $OUT $ERR"
TOKEN=$(auth-guard role create tab runner) || fail "no role"
AUTH_GUARD_TOKEN=$TOKEN ok auth-guard completion words -- get team/
[ -z "$OUT$ERR" ] || fail "a token is told: $OUT $ERR"
ok auth-guard role remove tab
ok auth-guard lock
ok auth-guard completion words -- get team/
[ -z "$OUT$ERR" ] || fail "locked, and told: $OUT $ERR"
ok auth-guard stop
ok auth-guard completion words -- get team/
[ -z "$OUT$ERR" ] || fail "no broker, and told: $OUT $ERR"
