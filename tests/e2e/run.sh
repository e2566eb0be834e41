#!/usr/bin/env bash
# run.sh - the end-to-end scenarios, against real binaries.
#
#   tests/e2e/run.sh --bin BUILD [--only PATTERN] [--keep]
#
# As root: one scenario more at a time than there are processors (they wait most
# of theirs), three at most, each as an ordinary user of its own that is made for
# the run; as an ordinary user: one after another, as the caller. One that says
# `as: root` runs as root, if we are; one that says `long: yes` begins before the
# others. Each scenario (NN_name.sh) has its own scratch home and runtime
# directory. Prints one line each, `ok NAME` or `FAIL NAME`, and last `e2e: done …`.
set -uo pipefail
SRC=$(cd "$(dirname "$0")/../.." && pwd)
bin=$SRC/build/release
only=
keep=no
while [ $# -gt 0 ]; do
    case $1 in
    --bin) bin=$(cd "${2:?}" && pwd); shift 2 ;;
    --only) only=${2:?}; shift 2 ;;
    --keep) keep=yes; shift ;;
    *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2; exit 64 ;;
    esac
done
[ -x "$bin/auth-guard" ] && [ -x "$bin/auth-guardd" ] || {
    echo "FAIL e2e (no auth-guard and auth-guardd in $bin)"
    exit 1
}

selected=()
later=()
for file in "$SRC"/tests/e2e/[0-9][0-9]_*.sh; do
    name=$(basename "$file" .sh)
    [ -z "$only" ] || [[ e2e:$name =~ $only ]] || continue
    if grep -q '^# long: yes' "$file"; then
        selected+=("$file")
    else
        later+=("$file")
    fi
done
selected+=("${later[@]}")

codex=
if grep -l 'needs: codex' "${selected[@]}" >/dev/null 2>&1; then
    codex=$("$SRC/tests/e2e/install_codex.sh" "$SRC/build/codex")
    case $? in
    0) ;;
    75) echo "!!! npm is not here: THE REAL CODEX CLI IS NOT TESTED !!!" ;;
    *) echo "FAIL e2e (installing the Codex CLI)" ;;
    esac
fi

# The home must not be below a temporary directory: Codex refuses to work there;
# nor may programs or sockets lie below /dev, which its sandbox makes anew and so
# would hide from it what a real task can see.
# Scenarios know their processes by their user: those at once need one each.
lanes=1
if [ "$(id -u)" -eq 0 ]; then
    made_users=yes
    lanes=$(($(nproc) + 1))
    [ "$lanes" -le 3 ] || lanes=3
    [ "$lanes" -le ${#selected[@]} ] || lanes=1
    run_base=$(mktemp -d /run/age2e.XXXXXX)
else
    made_users=
    run_base=$(mktemp -d "${XDG_RUNTIME_DIR:-$HOME}/age2e.XXXXXX")
fi
chmod 711 "$run_base"
users=()
lane_pids=()

cleanup() {
    local user
    [ ${#lane_pids[@]} -eq 0 ] || kill "${lane_pids[@]}" 2>/dev/null
    for user in "${users[@]}"; do
        [ -n "$made_users" ] || break
        # Only this run's own users, made below.
        pkill -KILL -u "$user"
    done
    [ -z "$made_users" ] || sleep 0.2
    for user in "${users[@]}"; do
        [ "$keep" = yes ] || rm -rf "$(base_of "$user")"
        [ "$keep" = yes ] || [ -z "$made_users" ] || userdel -r "$user" >/dev/null 2>&1
    done
    [ "$keep" = yes ] || rm -rf "$run_base"
}
trap cleanup EXIT

base_of() { # USER
    echo "$(getent passwd "$1" | cut -d: -f6)/auth-guard-e2e-$$"
}
as_user() { # COMMAND…: as this lane's $user
    if [ -n "$made_users" ]; then
        setpriv --reuid="$user" --regid="$user" --init-groups -- "$@"
    else
        "$@"
    fi
}

# The scenarios' user must reach the programs, wherever they were built.
install_for() { # USER
    local user=$1 base prefix helper
    base=$(base_of "$user")
    prefix=$base/installed
    as_user mkdir -p "$base"
    mkdir -p "$prefix/src/tests"
    cmake --install "$bin" --prefix "$prefix" >/dev/null || return 1
    for helper in "$bin"/e2e_*; do
        [ ! -x "$helper" ] || cp "$helper" "$prefix/bin/"
    done
    cp -r "$SRC/schema" "$SRC/README.md" "$prefix/src/"
    mkdir -p "$prefix/src/packaging"
    cp -r "$SRC/packaging/github-action" "$prefix/src/packaging/"
    cp -r "$SRC/tests/e2e" "$SRC/tests/common" "$prefix/src/tests/"
    # 400 MB: linked where the file system allows it.
    [ -z "$codex" ] || cp -al "$(dirname "$codex")/.." "$prefix/codex" 2>/dev/null ||
        cp -r "$(dirname "$codex")/.." "$prefix/codex"
    chmod -R a+rX "$prefix"
}

run_one() { # FILE NUMBER: prints how it went; 0 good, 1 bad, 2 not run
    local file=$1 number=$2 name base programs scratch runtime who=as_user begun took rc
    name=$(basename "$file" .sh)
    base=$(base_of "$user")
    programs=$base/installed/bin
    scratch=$base/$name
    runtime=$run_base/$number # short: a socket's path is
    if grep -q 'needs: codex' "$file" && [ -z "$codex" ]; then
        echo "skip $name (no Codex CLI)"
        return 2
    fi
    if grep -q '^# as: root' "$file"; then
        [ -n "$made_users" ] || {
            echo "skip $name (for root)"
            return 2
        }
        who=env
        scratch=$run_base/root$number
    fi
    $who mkdir -p "$scratch"
    mkdir -m 700 "$runtime"
    [ $who = env ] || [ -z "$made_users" ] || chown "$user:" "$runtime"
    begun=$(date +%s%N)
    $who env -i BIN="$programs" SRC="$base/installed/src" S="$scratch" RUNDIR="$runtime" \
        CODEX="${codex:+$base/installed/codex/bin/codex}" USER="$($who id -un)" LANG=C.UTF-8 TERM=dumb \
        PROXY_MIB="${PROXY_MIB-}" CRASH_STEP="${CRASH_STEP-}" CRASH_BROKER_STEP="${CRASH_BROKER_STEP-}" \
        FULL_STEP="${FULL_STEP-}" \
        timeout -k 10 "$(sed -n 's/^# timeout: //p' "$file" | grep . || echo 600)" \
        setsid -w bash -c '. "$SRC/tests/e2e/lib.sh"; . "$1"' bash "$base/installed/src/tests/e2e/$name.sh" \
        >"$run_base/$name.log" 2>&1 </dev/null
    rc=$?
    took=$((($(date +%s%N) - begun) / 1000000))
    if [ $rc -eq 0 ]; then
        echo "ok $name ($took ms)"
        grep -E '^- .*(tried|search|hits|points)' "$run_base/$name.log"
    else
        grep '^FAILED' "$run_base/$name.log" | cut -c 1-2000
        tail -n 60 "$run_base/$name.log"
        echo "FAIL $name (exit $rc, $took ms)"
    fi
    [ -z "$made_users" ] || pkill -KILL -u "$user"
    [ "$keep" = yes ] || rm -rf "$scratch" "$runtime"
    [ $rc -eq 0 ]
}

# Takes the next scenario that nobody has taken, until there is none.
run_lane() { # USER
    local user=$1 i
    for i in "${!selected[@]}"; do
        mkdir "$run_base/$i.taken" 2>/dev/null || continue
        run_one "${selected[i]}" "$i" >"$run_base/$i.said"
        echo $? >"$run_base/$i.verdict"
        flock "$run_base" cat "$run_base/$i.said"
    done
}

for ((lane = 1; lane <= lanes; lane++)); do
    user=$(id -un)
    if [ -n "$made_users" ]; then
        user=agtest$$-$lane
        useradd --create-home --shell /bin/bash "$user" || exit 70
    fi
    users+=("$user")
    install_for "$user" || exit 70
done
for user in "${users[@]}"; do
    run_lane "$user" &
    lane_pids+=($!)
done
wait
lane_pids=()
total=0
good=0
for i in "${!selected[@]}"; do
    # A scenario that nobody has finished has failed.
    case $(cat "$run_base/$i.verdict" 2>/dev/null) in
    0) good=$((good + 1)) total=$((total + 1)) ;;
    2) ;;
    *) total=$((total + 1)) ;;
    esac
done
echo "e2e: done, $good of $total"
[ "$good" -eq "$total" ]
