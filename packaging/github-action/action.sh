#!/usr/bin/env bash
# action.sh pull-request|work - the two steps of action.yml. Its inputs come as
# AG_ACTION_*: never as text within a script, where they would be commands.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
fail() {
    printf '::error title=auth-guard::%s\n' "$*" >&2
    exit 1
}

command -v auth-guard >/dev/null ||
    fail "auth-guard is not in PATH; install it in a step before (packaging/quickstart.sh says how it is built)"
command -v jq >/dev/null || fail "jq is not in PATH"

# ---- what is looked for: here, and in later steps ----

export AG_REDACT_RULES=${AG_ACTION_RULES:-default} AG_REDACT_SET=
options=(--rules "$AG_REDACT_RULES")
if [ -n "${AG_ACTION_SET-}" ]; then
    AG_REDACT_SET=$(realpath -e -- "$AG_ACTION_SET") || fail "the set $AG_ACTION_SET is not there"
    options+=(--set "$AG_REDACT_SET")
fi
case $AG_REDACT_SET in *$'\n'*) fail "the set's path has more than one line" ;; esac
auth-guard redact "${options[@]}" </dev/null || fail "that can't be looked for; see above"
private=$(mktemp -d "${RUNNER_TEMP:-/tmp}/auth-guard.XXXXXX") || exit 73
trap 'rm -rf "$private"' EXIT

# ---- the pull request ----

# Each text of the event that somebody wrote: its name, where GitHub keeps it,
# and the member there.
texts() {
    jq -r '[(.pull_request, .issue, .comment, .review | select(. != null)) as $thing
        | ("title", "body") as $member | select($thing[$member] | type == "string" and . != "")
        | {name: "\($thing.kind)", url: ($thing.url // ""), member: $member, text: $thing[$member]}]' "$1"
}
with_kinds() { # things of the event, each with what it is; a review has no url
    jq '(.pull_request | select(. != null)).kind = "pull-request" | (.issue | select(. != null)).kind = "issue"
        | (.comment | select(. != null)).kind = "comment"
        | if .review then .review |= (.kind = "review" | .url = null)
            | .review.url = (.pull_request.url + "/reviews/" + (.review.id | tostring)) else . end' "$GITHUB_EVENT_PATH"
}
ask() { # URL CURL-OPTION…: the service that the event came from, and no other
    case $1 in "${GITHUB_API_URL:?}"/*) ;; *) return 1 ;; esac
    curl -sS --fail --max-time 60 -H 'Accept: application/vnd.github+json' \
        -K <(printf 'header = "Authorization: Bearer %s"\n' "${AG_ACTION_TOKEN-}") "${@:2}" "$1"
}
current() { # URL MEMBER: the text that GitHub keeps there now; since the event it may have been edited
    ask "$1" | jq -j --arg member "$2" '.[$member] // ""'
}
change() { # URL MEMBER FILE: what GitHub keeps there becomes the file's text
    local method=PATCH
    case $1 in */reviews/*) method=PUT ;; esac
    jq -Rs --arg member "$2" '{($member): .}' <"$3" |
        ask "$1" -o /dev/null -X "$method" --data-binary @- -H 'Content-Type: application/json'
}
pull_request() { # check|redact
    local count i name member url found=0
    if ! with_kinds >"$private/event" || ! texts "$private/event" >"$private/texts"; then
        fail "the event is not as GitHub writes it"
    fi
    count=$(jq length "$private/texts")
    cd "$private" || exit 70
    for ((i = 0; i < count; i++)); do
        member=$(jq -r ".[$i].member" texts)
        name=$(jq -r ".[$i].name" texts)-$member
        url=$(jq -r ".[$i].url" texts)
        jq -j ".[$i].text" texts >"$name"
        auth-guard redact --check "${options[@]}" "$name"
        case $? in
        0) continue ;;
        1) found=1 ;;
        *) fail "$name could not be looked through" ;;
        esac
        [ "$1" = redact ] || continue
        current "$url" "$member" >"$name" || fail "$name holds a secret and could not be changed"
        auth-guard redact "${options[@]}" "$name" >clean || fail "$name could not be redacted"
        cmp -s "$name" clean || change "$url" "$member" clean || fail "$name holds a secret and could not be changed"
        echo "::warning title=auth-guard::$name held a secret that is out of it now. Whoever has read it may have it, and earlier versions stay in its history: rotate it"
    done
    [ $found -eq 0 ] || [ "$1" = redact ] ||
        fail "there is a secret in what was written, at the places above; take it out, and rotate it"
}

# ---- commands and files ----

work() {
    local verdict=0 path paths=()
    {
        printf 'AG_REDACT_RULES=%s\n' "$AG_REDACT_RULES"
        printf 'AG_REDACT_SET=%s\n' "$AG_REDACT_SET"
    } >>"${GITHUB_ENV:-/dev/null}"
    printf '%s\n' "$here" >>"${GITHUB_PATH:-/dev/null}"
    if [ -n "${AG_ACTION_RUN-}" ]; then
        printf '%s\n' "$AG_ACTION_RUN" >"$private/script"
        "$here/redacted" "$private/script" || verdict=$?
    fi
    # Also behind a command that failed: its files are uploaded all the same.
    while IFS= read -r path; do
        [ -z "$path" ] || paths+=("$path")
    done <<<"${AG_ACTION_FILES-}"
    if [ ${#paths[@]} -gt 0 ]; then
        auth-guard redact --in-place "${options[@]}" -- "${paths[@]}" || verdict=$?
    fi
    exit $verdict
}

case ${1-}:${AG_ACTION_PULL_REQUEST:-off} in
work:*) work ;;
pull-request:off) ;;
pull-request:check | pull-request:redact)
    [ -r "${GITHUB_EVENT_PATH-}" ] || fail "there is no event to look at"
    pull_request "$AG_ACTION_PULL_REQUEST"
    ;;
*) fail "pull-request is check, redact or off" ;;
esac
