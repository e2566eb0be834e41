#!/bin/sh
# verbs.sh BIN - what BIN says of its verbs and their acts, as mdoc: the man
# page has no words of its own for them.
set -eu
bin=${1:?usage: verbs.sh BIN}
export HOME=/nonexistent LC_ALL=C.UTF-8

page() { # WORD…: one verb or act, then the acts below it
    text=$("$bin" "$@" --help)
    printf '.Ss auth-guard %s\n.Bd -literal\n' "$*"
    printf '%s\n' "$text" | sed 's/\\/\\e/g; s/…/\\[u2026]/g; s/-/\\-/g; s/^\([.'\'']\)/\\\&\1/'
    printf '.Ed\n'
    # Acts are listed below `acts:`, or by name: `auth-guard rotate rule set|…`.
    for act in $(printf '%s\n' "$text" | awk -v words="auth-guard $*" '
        /^acts:$/ { listed = 1; next }
        listed && /^  [a-z]/ { print $1 }
        index($0, words " ") == 1 { $0 = substr($0, length(words) + 2)
                                    if ($1 ~ /^[a-z-]+$/) print $1 }' | sort -u); do
        (page "$@" "$act")
    done
}

"$bin" help | awk '/^  [a-z]/ { print $1 }' | while read -r verb; do
    case $verb in
    help | version) ;;
    *) page "$verb" ;;
    esac
done
