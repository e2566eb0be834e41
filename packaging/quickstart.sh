#!/usr/bin/env bash
# quickstart.sh - installs what is missing, builds, and shows the main job.
#
# On a bare Debian 12: needs a shell, git and apt (and sudo unless root).
# Everything happens in a scratch home with a made-up login; your own files and
# your own vault are not touched. Runs as whoever calls it.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

bold= dim= off=
if [ -t 1 ]; then
    bold=$(printf '\033[1m') dim=$(printf '\033[2m') off=$(printf '\033[0m')
fi
chapter() { printf '\n%s%s%s\n' "$bold" "$*" "$off"; }
show() { # prints the command, then runs it
    printf '%s$ %s%s\n' "$dim" "$*" "$off"
    eval "$*"
}
fail() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

chapter "1. Packages and build"
packaging/deps.sh build
log=$root/build/quickstart.log
mkdir -p build
build() {
    cmake --preset release && cmake --build build/release --target auth-guard auth-guardd compiled_rules
}
build >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    fail "the build failed; whole log: $log"
}
echo "built: build/release/auth-guard, build/release/auth-guardd"

# A home of its own; short, since socket paths are limited to 108 bytes.
scratch=$(mktemp -d /tmp/agqs.XXXXXX)
export HOME=$scratch/home XDG_RUNTIME_DIR=$scratch/run
unset XDG_DATA_HOME XDG_CONFIG_HOME CODEX_HOME AUTH_GUARD_HOME AUTH_GUARD_SOCKET \
    AUTH_GUARD_TOKEN AUTH_GUARD_ADDR
export AUTH_GUARD_PASSPHRASE_FILE=$scratch/passphrase
export PATH=$root/build/release:$PATH
mkdir -m 700 "$HOME" "$XDG_RUNTIME_DIR" "$HOME/.codex"
cleanup() {
    auth-guard stop >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap cleanup EXIT
cd "$HOME"

chapter "2. A login as the Codex CLI leaves it (made up, in $HOME)"
key=sk-proj-$(head -c 48 /dev/urandom | base64 -w0 | tr '+/' '_-')
(
    umask 077
    printf '{\n  "OPENAI_API_KEY": "%s"\n}\n' "$key" >.codex/auth.json
    head -c 18 /dev/urandom | base64 >"$AUTH_GUARD_PASSPHRASE_FILE"
)
show "cut -c1-40 .codex/auth.json"
show "auth-guard scan || true"

chapter "3. A vault; the login moves in and the file is gone"
show "auth-guard init >/dev/null   # prints the recovery code: keep it on paper"
show "auth-guard unlock"
show "auth-guard adopt .codex/auth.json"
[ ! -e .codex/auth.json ] || fail "the file is still there"
if grep -rqF -- "$key" "$HOME" "$XDG_RUNTIME_DIR"; then
    fail "the key is still somewhere in the home"
fi
echo "the file is gone; the key is in no file of this home"
show "auth-guard list"

chapter "4. A task uses it; what it prints is clean"
mkdir project
cd project # a task has a working tree, which is never the whole home
cat >task.sh <<'TASK'
login=$(cat ~/.codex/auth.json) || exit 1
key=$(printf '%s' "$login" | sed -n 's/.*"OPENAI_API_KEY": "\(.*\)".*/\1/p')
echo "the task sees a key of ${#key} characters"
echo "it prints the key:       $key"
echo "and in base64:           $(printf '%s' "$key" | base64 -w0)"
TASK
show "auth-guard run --profile codex --grade file -- sh task.sh | tee output.txt"
grep -q 'a key of' output.txt || fail "the task did not get the login"
[ "$(sed -n 's/.*a key of \([0-9]*\).*/\1/p' output.txt)" = ${#key} ] ||
    fail "the task did not see the whole key"
grep -q redacted output.txt || fail "nothing was redacted"
if grep -qF -- "$key" output.txt || grep -qF -- "$(printf '%s' "$key" | base64 -w0)" output.txt; then
    fail "the key is in the output"
fi

chapter "5. What happened is on the record; nothing is left"
show "auth-guard exposure codex/default"
show "auth-guard audit verify"
show "auth-guard task list"
[ ! -e "$HOME/.codex/auth.json" ] || fail "the task left the file behind"
if grep -rqF -- "$key" "$HOME" "$XDG_RUNTIME_DIR"; then
    fail "the key is in a file of this home"
fi
echo "no file of this home holds the key"

cd "$root"
chapter "Next, with your own login (in this directory):"
cat <<'NEXT'
  export PATH=$PWD/build/release:$PATH
  auth-guard init && auth-guard unlock && auth-guard adopt --profile codex ~/.codex/auth.json
  auth-guard run --profile codex -- codex exec "what does this repository do?"
NEXT
