# P5 on a terminal: full-screen programs look under auth-guard as they do
# without, but for the value, which is masked at equal width; what only scrolls
# shows its name. The real Codex CLI in its terminal interface, too.
# needs: codex
. "$SRC/tests/e2e/codex_lib.sh"
for program in tmux less htop; do
    command -v $program >/dev/null || fail "no $program here: packaging/deps.sh test"
done
VIM=$(command -v vim || command -v vim.tiny) || fail "no vim here: packaging/deps.sh test"

value=$(canary screen_)
stars=$(printf %s "$value" | tr -c '\n' '*')
tm() { tmux -S "$RUNDIR/tm" -f /dev/null "$@"; }
at_end "tm kill-server"
shows() { tm capture-pane -p -t "$1"; }
coloured() { tm capture-pane -p -e -t "$1"; }
masked() { sed "s/$value/$stars/g"; }
sees() { shows "$1" | grep -qF -- "$2"; } # PANE TEXT
sees_within() { within 20 sees "$1" "$2" || fail "$1 does not show $2: $(shows "$1" | masked)"; }
open() { # PANE COMMAND
    tm new-session -d -s "$1" -x 110 -y 30 "$2"
}
guarded() { # PANE COMMAND: the same, in a session that may
    open "$1" "auth-guard unlock >/dev/null 2>&1; exec auth-guard run --no-isolate --env X=screen/key -- $2"
}
# Both panes settle on the same screen, but for the value.
alike() { # PANE: as bare-PANE
    diff <(coloured "bare-$1" | masked) <(coloured "$1")
}
both_alike() { # PANE WHEN
    within 20 alike "$1" || fail "$1 $2: $(diff <(coloured "bare-$1" | masked) <(coloured "$1" | masked))"
    hasnt "$(shows "$1")" "$value" "the screen of $1"
}
each() { # PANE KEYS…
    local pane=$1
    shift
    tm send-keys -t "bare-$pane" "$@"
    tm send-keys -t "$pane" "$@"
}
resize() { # PANE COLUMNS LINES
    tm resize-window -t "bare-$1" -x "$2" -y "$3"
    tm resize-window -t "$1" -x "$2" -y "$3"
}

# ---- the agent, before its login goes into the vault ----

login apikey
key=$(jq -r .OPENAI_API_KEY "$HOME/.codex/auth.json")
: >"$S/calls"
mock --say "the token is $value and that was it"
configure apikey
printf '[projects."%s"]\ntrust_level = "trusted"\n' "$TREE" >>"$HOME/.codex/config.toml"
open bare-codex "exec $CODEX -c tui.show_tooltips=false"

# ---- vim, less, htop ----

vault
tm set-environment -g AUTH_GUARD_PASSPHRASE_FILE "$AUTH_GUARD_PASSPHRASE_FILE"
printf %s "$value" | auth-guard put screen/key >/dev/null 2>&1 || fail put
for i in $(seq 60); do
    printf 'line %s of a file that is longer than the screen # with a comment\n' "$i"
    [ $((i % 7)) -ne 3 ] || printf 'export KEY="%s" # behind it\n' "$value"
done >"$TREE/file.sh"
vim="$VIM -u NONE -i NONE -N -c 'set number' -c 'silent! syntax on' $TREE/file.sh"
open bare-vim "exec $vim"
guarded vim "$vim"
open bare-less "exec less -R $TREE/file.sh"
guarded less "less -R $TREE/file.sh"
for pane in vim less; do
    sees_within bare-$pane "$value"
    sees_within $pane "$stars"
    both_alike $pane "at first"
    each $pane G
    sees_within bare-$pane "line 60"
    both_alike $pane "at its end"
    resize $pane 75 21
    both_alike $pane "resized"
    resize $pane 130 40
    both_alike $pane "made larger"
done
each vim gg
each vim :10 Enter
each vim A " typed at the end" Escape
sees_within bare-vim "typed at the end"
both_alike vim "with typed text"
each vim :q! Enter
each less q
say "vim and less: alike on every screen, the value as wide as it is"

open bare-htop "exec htop -d 600"
guarded htop "htop -d 600"
# Which lines its parts stand on; a column is as wide as the pids it may see.
frame() {
    shows "$1" | grep -noE 'PID +USER.*|Load average|F1Help.*F10Quit|Tasks:' | tr -s ' '
}
sees_within bare-htop F10Quit
sees_within htop F10Quit
htop_alike() { diff <(frame bare-htop) <(frame htop); }
within 20 htop_alike || fail "htop: $(htop_alike)"
bar() { coloured "$1" | grep F10 | sed 's/^.*F1\(.\[30m\)/F1\1/'; } # without the colour before it
bars_alike() { diff <(bar bare-htop) <(bar htop); }
within 20 bars_alike || fail "htop: other colours: $(bars_alike | cat -v)"
resize htop 90 20
within 20 htop_alike || fail "htop resized: $(htop_alike)"
each htop q
say "htop: its frame is where it was, resized too"

# ---- what only scrolls has a name; a line that is edited a mask ----

guarded shell "bash --norc --noprofile -i"
sees_within shell 'bash-5'
tm send-keys -t shell 'printf "1<%s>\n" "$X"' Enter
sees_within shell '1<[redacted:screen/key]>'
tm send-keys -t shell 'printf "\033[?1049h\033[2;3H2<%s>" "$X"; read -r; printf "\033[?1049l"' Enter
sees_within shell "2<$stars>"
tm send-keys -t shell Enter
sees_within shell '1<[redacted:screen/key]>'
tm send-keys -t shell "# $value" C-a
sees_within shell "$ # $stars"
hasnt "$(shows shell)" "$value" "a line that is edited"
say "names where text scrolls, masks where columns are counted"

# ---- the agent in its terminal interface ----

ask() { # PANE ANSWER
    sees_within "$1" 'OpenAI Codex'
    within 30 sees "$1" '›' || fail "$1: no prompt: $(shows "$1")"
    tm send-keys -t "$1" -l "look around"
    sees_within "$1" "› look around"
    tm send-keys -t "$1" Enter
    sees_within "$1" "$2"
}
# The lines of the talk; hints below and above it come and go. Made narrower, the
# answer is on two lines.
talk() { grep -E '^(›|•|  >_|■)|token is|was it' "$1"; }
narrower() { # PANE
    tm resize-window -t "$1" -x 80 -y 24
    wrapped() { shows "$1" | grep -qx ' *was it'; }
    within 20 wrapped "$1" || fail "$1: not wrapped anew: $(shows "$1" | masked)"
}
ask bare-codex "the token is $value and that was it"
narrower bare-codex
shows bare-codex | masked >"$S/bare-codex"
tm kill-session -t bare-codex
ok auth-guard adopt --profile codex "$HOME/.codex/auth.json"
open codex "auth-guard unlock >/dev/null 2>&1; exec auth-guard run --no-isolate --grade file --profile codex -- $CODEX -c tui.show_tooltips=false"
ask codex "the token is $stars and that was it"
narrower codex
codex_alike() {
    shows codex >"$S/codex"
    diff <(talk "$S/bare-codex") <(talk "$S/codex")
}
within 20 codex_alike || fail "codex: $(codex_alike)"
served_with "$key"
hasnt "$(tm capture-pane -p -S - -t codex)" "$value" "the screen of codex"
say "codex: the same talk on the same screen, the value masked, made narrower too"
tm kill-server
