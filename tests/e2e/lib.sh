# lib.sh - what every scenario stands on. Sourced by run.sh in a process of the
# ordinary user, which leads a session of its own without a terminal.
#
# Given: BIN (built programs), SRC (source tree), S (scratch of this scenario),
# RUNDIR (private directory on a tmpfs), CODEX (the program, may be empty).
# Secrets are made at run time and noted in $C/canaries; $C is the one place
# that the leak search leaves out.
set -uo pipefail

C=$S/canary
BEGUN=$(date +%s)
export HOME=$S/home XDG_RUNTIME_DIR=$RUNDIR
unset XDG_DATA_HOME XDG_CONFIG_HOME AUTH_GUARD_HOME AUTH_GUARD_SOCKET \
    AUTH_GUARD_TOKEN AUTH_GUARD_ADDR
VAULT=$HOME/.local/share/auth-guard
SOCKETS=$RUNDIR/auth-guard
export PATH=$BIN:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
mkdir -p "$HOME/work" "$C"
chmod 700 "$C" "$HOME"
umask 022
cd "$HOME/work" || exit 70
CLEANUP=()
# Scenarios of tasks leave what they share with one in the working tree, and open
# our programs to it; the few that are about the host's view say --no-isolate.
TREE=$HOME/work
INSIDE=(--ro "$BIN")

fail() {
    printf 'FAILED: %s\n' "$*"
    exit 1
}
say() { printf -- '- %s\n' "$*"; }

# New random secret; looks like nothing else on this machine.
canary() { # [PREFIX]
    local value
    value="${1-}$(head -c 36 /dev/urandom | base64 -w0 | tr '+/' '_-')"
    printf '%s\n' "$value" >>"$C/canaries"
    printf '%s' "$value"
}

# Runs a command, keeps stdout in $OUT and stderr in $ERR and the status in $RC.
run() {
    "$@" >"$C/out" 2>"$C/err"
    RC=$?
    OUT=$(tr -d '\0' <"$C/out")
    ERR=$(tr -d '\0' <"$C/err")
}
ok() {
    run "$@"
    [ $RC -eq 0 ] || fail "exit $RC from: $* :: $ERR $OUT"
}
refused() { # CODE-OR-WORD COMMAND…: must fail and say so
    local want=$1
    shift
    run "$@"
    [ $RC -ne 0 ] || fail "was allowed: $*"
    [[ "$OUT$ERR" =~ $want ]] || fail "no '$want' from: $* :: exit $RC $ERR $OUT"
}
has() { [[ $1 == *"$2"* ]] || fail "no '$2' in: $1"; }
hasnt() { [[ $1 != *"$2"* ]] || fail "a value that must not be there is in: ${3:-an output}"; }

# Polls until the command succeeds. The time is counted in looks too: while the
# machine stands still nobody else gets on either.
within() { # SECONDS COMMAND…
    local end=$(($(date +%s%N) + $1 * 1000000000)) looks=$(($1 * 50))
    shift
    until "$@" >/dev/null 2>&1; do
        looks=$((looks - 1))
        [ $looks -gt 0 ] || [ "$(date +%s%N)" -lt "$end" ] || return 1
        sleep 0.02
    done
}

# How long a process takes here and now, in percent of its own time: 100 with a
# processor to itself, and not less. For limits in milliseconds.
slowed_percent() {
    local TIMEFORMAT='%R %U %S' i
    { time for ((i = 0; i < 150000; i++)); do :; done; } 2>&1 |
        awk '{ p = 100 * $1 / ($2 + $3); printf "%d\n", p < 100 ? 100 : p }'
}

# A vault, open, approved for this session.
vault() {
    head -c 24 /dev/urandom | base64 >"$C/passphrase"
    chmod 600 "$C/passphrase"
    cat "$C/passphrase" >>"$C/canaries"
    export AUTH_GUARD_PASSPHRASE_FILE=$C/passphrase
    ok auth-guard init
    [[ $OUT != *'\x'* ]] || fail "not as people read it: $OUT"
    # The recovery code opens the vault: it must not lie about either.
    printf '%s\n' "$OUT" | grep -oE '[A-Z0-9]{4,8}(-[A-Z0-9]{4,8}){3,}' >>"$C/canaries"
    ok auth-guard unlock
}

# Before a user namespace is entered: the host's root is nobody in there, and rules
# of nobody's are not loaded.
own_programs() {
    mkdir "$S/installed" &&
        cp -r "$BIN" "$BIN/../lib" "$BIN/../share" "$S/installed/" || fail "no copy"
    export BIN=$S/installed/bin
}

broker_pid() { auth-guard status --json | jq -r '.pid // empty'; }
# Whoever runs the scenarios may have a broker of their own. A dead process that
# nobody has waited for yet does not count.
for name in auth-guard auth-guardd ag-filter ag-witness; do
    pgrep -u "$(id -u)" -x "$name"
done >"$C/others"
mine() { pgrep -u "$(id -u)" -r S,R,D,T -x "$1" | grep -vxF -f "$C/others"; } # NAME
broker_gone() { ! mine auth-guardd; }
kill_broker() { mine auth-guardd | xargs -r kill -KILL; }

neighbour() { # a process of this uid in a session that nobody approved
    env -u AUTH_GUARD_PASSPHRASE_FILE setsid -w "$@"
}

# One request: api SOCKET METHOD PATH [JSON] [HEADER]…; body in $OUT, status in $STATUS
api() {
    local sock=$SOCKETS/$1.sock method=$2 path=$3 body=${4-} args=()
    shift 3
    [ $# -eq 0 ] || shift
    [ -z "$body" ] || args+=(-H 'Content-Type: application/json' --data-binary "$body")
    while [ $# -gt 0 ]; do
        args+=(-H "$1")
        shift
    done
    STATUS=$(curl -sS -m 20 -o "$C/out" -w '%{http_code}' -X "$method" \
        --unix-socket "$sock" "${args[@]}" "http://localhost$path" 2>"$C/err") || STATUS=000
    OUT=$(cat "$C/out" 2>/dev/null)
}
code() { jq -r '.code // empty' <<<"$OUT"; }

audit_has() { # WORD…: one audit row with all of them
    local rows word
    rows=$(auth-guard audit tail --limit 200 --json) || fail "audit tail: exit $?"
    for word in "$@"; do
        rows=$(grep -F -- "$word" <<<"$rows") || fail "no audit row with: $*"
    done
}
audit_verifies() { ok auth-guard audit verify; }

# Nothing of any canary outside: all files of the scratch home, the runtime
# directory, shared temporary places, every readable environment and argument.
no_leak() { # [MORE ROOTS…]
    /usr/bin/python3 "$SRC/tests/e2e/leak.py" --canaries "$C/canaries" --skip "$C" \
        --since "$BEGUN" --procs "$S" "$RUNDIR" /tmp /var/tmp /dev/shm "$@" >"$C/leaks" 2>&1
    case $? in
    0) say "$(tail -n 1 "$C/leaks")" ;;
    *) fail "leak search: $(cat "$C/leaks")" ;;
    esac
}

at_end() { CLEANUP+=("$1"); }
finish() {
    local rc=$? i
    for ((i = ${#CLEANUP[@]} - 1; i >= 0; i--)); do
        eval "${CLEANUP[i]}" >/dev/null 2>&1
    done
    timeout 10 auth-guard stop >/dev/null 2>&1
    exit $rc
}
trap finish EXIT
