#!/usr/bin/env bash
# run.sh - the end-to-end scenarios, against real binaries.
#
#   tests/e2e/run.sh --bin BUILD [--only PATTERN] [--keep]
#
# As root: makes an ordinary user for the run and lets every scenario be that
# user; as an ordinary user: scenarios run as the caller. One that says `as: root`
# runs as root, if we are. Each scenario
# (NN_name.sh) has its own scratch home and runtime directory. Prints one line
# each, `ok NAME` or `FAIL NAME`, and last `e2e: done …`.
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
for file in "$SRC"/tests/e2e/[0-9][0-9]_*.sh; do
    name=$(basename "$file" .sh)
    { [ -z "$only" ] || [[ e2e:$name =~ $only ]]; } && selected+=("$file")
done

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
user=$(id -un)
made_user=
if [ "$(id -u)" -eq 0 ]; then
    user=agtest$$
    useradd --create-home --shell /bin/bash "$user" || exit 70
    made_user=$user
fi
base=$(getent passwd "$user" | cut -d: -f6)/auth-guard-e2e-$$
if [ -n "$made_user" ]; then
    run_base=$(mktemp -d /run/age2e.XXXXXX)
else
    run_base=$(mktemp -d "${XDG_RUNTIME_DIR:-$base}/age2e.XXXXXX")
fi
as_user() {
    if [ -n "$made_user" ]; then
        setpriv --reuid="$user" --regid="$user" --init-groups -- "$@"
    else
        "$@"
    fi
}
chmod 711 "$run_base"
as_user mkdir -p "$base"

# The scenarios' user must reach the programs, wherever they were built.
prefix=$base/installed
mkdir -p "$prefix"
cmake --install "$bin" --prefix "$prefix" >/dev/null || exit 70
programs=$prefix/bin
for helper in "$bin"/e2e_*; do
    [ ! -x "$helper" ] || cp "$helper" "$programs/"
done
mkdir -p "$prefix/src/tests"
cp -r "$SRC/schema" "$SRC/README.md" "$prefix/src/"
cp -r "$SRC/tests/e2e" "$prefix/src/tests/"
if [ -n "$codex" ]; then
    # 400 MB: linked where the file system allows it.
    cp -al "$(dirname "$codex")/.." "$prefix/codex" 2>/dev/null ||
        cp -r "$(dirname "$codex")/.." "$prefix/codex"
    codex=$prefix/codex/bin/codex
fi
chmod -R a+rX "$prefix"

cleanup() {
    if [ -n "$made_user" ]; then
        # Only this run's own user, made above.
        pkill -KILL -u "$made_user"
        sleep 0.2
        [ "$keep" = yes ] || userdel -r "$made_user" >/dev/null 2>&1
    fi
    [ "$keep" = yes ] || rm -rf "$base" "$run_base"
}
trap cleanup EXIT

total=0
bad=0
for file in "${selected[@]}"; do
    name=$(basename "$file" .sh)
    if grep -q 'needs: codex' "$file" && [ -z "$codex" ]; then
        echo "skip $name (no Codex CLI)"
        continue
    fi
    scratch=$base/$name
    runtime=$run_base/$total
    who=as_user
    if grep -q '^# as: root' "$file"; then
        [ -n "$made_user" ] || {
            echo "skip $name (for root)"
            continue
        }
        who=env
        scratch=$run_base/root
    fi
    $who mkdir -p "$scratch"
    mkdir -m 700 "$runtime"
    [ $who = env ] || [ -z "$made_user" ] || chown "$user:" "$runtime"
    begun=$(date +%s%N)
    $who env -i BIN="$programs" SRC="$prefix/src" S="$scratch" RUNDIR="$runtime" \
        CODEX="$codex" USER="$($who id -un)" LANG=C.UTF-8 TERM=dumb \
        PROXY_MIB="${PROXY_MIB-}" CRASH_STEP="${CRASH_STEP-}" CRASH_BROKER_STEP="${CRASH_BROKER_STEP-}" \
        timeout -k 10 "$(sed -n 's/^# timeout: //p' "$file" | grep . || echo 600)" \
        setsid -w bash -c '. "$SRC/tests/e2e/lib.sh"; . "$1"' bash "$prefix/src/tests/e2e/$name.sh" \
        >"$run_base/log" 2>&1 </dev/null
    rc=$?
    total=$((total + 1))
    took=$((($(date +%s%N) - begun) / 1000000))
    if [ $rc -eq 0 ]; then
        echo "ok $name ($took ms)"
        grep -E '^- .*(tried|search|hits|points)' "$run_base/log"
    else
        bad=$((bad + 1))
        tail -n 60 "$run_base/log"
        echo "FAIL $name (exit $rc, $took ms)"
    fi
    [ -z "$made_user" ] || pkill -KILL -u "$made_user"
    [ "$keep" = yes ] || rm -rf "$scratch" "$runtime"
done
echo "e2e: done, $((total - bad)) of $total"
[ $bad -eq 0 ]
