#!/usr/bin/env bash
# run.sh - installs what is missing, builds, and runs every test.
#
#   tests/run.sh                    lint, then the tests of dev, asan and tsan,
#                                   then the end-to-end scenarios on release
#   tests/run.sh --quick            cheap lint and the tests of dev only
#   tests/run.sh --preset P         one preset: dev, asan, tsan (tests),
#                                   release (tests and scenarios), fuzz (every
#                                   target for FUZZ_SECONDS, 60 by default)
#   tests/run.sh --only PATTERN     only lint steps, tests and scenarios whose
#                                   name (lint/floors, unit/base/buf_test,
#                                   e2e:05_p4_tokens) matches the regex
#
# The last line is the count: N passed, N failed. Exit 0 only without failures.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 70
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; }

presets=()
only=
quick=no
while [ $# -gt 0 ]; do
    case $1 in
    --preset) presets+=("${2:?--preset needs a name}"); shift 2 ;;
    --only) only=${2:?--only needs a pattern}; shift 2 ;;
    --quick) quick=yes; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 64 ;;
    esac
done
lint=no
if [ ${#presets[@]} -eq 0 ]; then
    lint=yes
    presets=(dev)
    [ "$quick" = yes ] || presets=(dev asan tsan release)
    # A pattern that can only be one kind needs no other builds.
    case $only in
    lint*) presets=() ;;
    e2e*) lint=no presets=(release) ;;
    esac
fi

jobs=$(nproc)
passed=0
failed=0
failures=()
begun=$SECONDS

note() { printf '\n== %s (%d s)\n' "$*" $((SECONDS - begun)); }
count() { # NAME RC
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        failures+=("$1")
    fi
}
matches() { [ -z "$only" ] || [[ $1 =~ $only ]]; }

step() { # NAME COMMAND…: one counted step, its output shown when it fails
    local name=$1 out rc
    shift
    matches "$name" || return 0
    out=$("$@" 2>&1)
    rc=$?
    count "$name" $rc
    if [ $rc -eq 0 ]; then
        printf 'ok    %s\n' "$name"
    else
        printf '%s\nFAIL  %s\n' "$out" "$name"
    fi
}

# Presets build in build/PRESET. A build that fails is a failure of its own and
# the preset's tests are not run.
build() { # PRESET TARGET…
    local preset=$1 log=build/$1.log
    shift
    mkdir -p build
    if cmake --preset "$preset" >"$log" 2>&1 &&
        cmake --build "build/$preset" -j "$jobs" --target "$@" >>"$log" 2>&1; then
        count "build/$preset" 0
        return 0
    fi
    grep -E 'error|Error|FAILED|warning' "$log" | head -40
    echo "FAIL  build/$preset (whole log: $log)"
    count "build/$preset" 1
    return 1
}

# Tests that give up root's rights must be able to read it, wherever the tree is.
suppressions=$(mktemp) || exit 70
trap 'rm -f "$suppressions"' EXIT
cat tests/tsan.supp >"$suppressions"
chmod 644 "$suppressions"

# ThreadSanitizer of clang 14 needs a small address space randomisation.
fixed_addresses() { setarch "$(uname -m)" -R "$@"; }

run_ctest() { # PRESET
    # Twice as many as processors: half of the tests' time is spent waiting.
    local preset=$1 log="build/$1-ctest.log" filter=()
    [ -z "$only" ] || filter=(-R "$only")
    # Failing calls one by one is single-threaded: nothing for this sanitizer.
    [ "$preset" != tsan ] || filter+=(-LE fault)
    ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 \
    UBSAN_OPTIONS=print_stacktrace=1 \
    TSAN_OPTIONS="suppressions=$suppressions:halt_on_error=1:second_deadlock_stack=1" \
        fixed_addresses ctest --test-dir "build/$preset" -j $((jobs * 2)) \
        --output-on-failure --no-tests=ignore "${filter[@]}" >"$log" 2>&1
    while read -r verdict name; do
        [ "$verdict" = Passed ]
        count "$preset:$name" $?
    done < <(awk '$1 ~ /^[0-9]+\/[0-9]+$/ && /Test +#/ {
        name = $0; sub(/^.*Test +#[0-9]+: /, "", name); sub(/ .*$/, "", name)
        print (/ Passed /) ? "Passed" : "Failed", name }' "$log")
    grep -E 'tests passed|No tests' "$log"
    grep -q 'tests failed out of' "$log" || return 0
    # What the failed ones printed.
    awk '/^ *Start +[0-9]+:|Test +#[0-9]+:/ { show = /\*\*\*/ } show' "$log" | tail -n 300
}

run_fuzz() {
    local seconds=${FUZZ_SECONDS:-60} target room corpus
    for target in $(find build/fuzz -type f -perm -u+x -name 'fuzz_*' | sort); do
        room=${target##*/fuzz_}
        corpus=build/fuzz-corpus/$room
        mkdir -p "$corpus"
        step "fuzz/$room" env UBSAN_OPTIONS=print_stacktrace=1 "$target" \
            -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
            -print_final_stats=1 -artifact_prefix="build/fuzz-corpus/$room-" \
            "$corpus" $(find tests/data -type d -path "*/fuzz/$room" 2>/dev/null)
    done
}

run_lint() {
    step lint/floors tests/lint/floors.sh
    step lint/banned tests/lint/banned.sh
    step lint/size tests/lint/size.sh
    step lint/format tests/lint/format.sh
    [ "$quick" = no ] || return 0
    step lint/cppcheck tests/lint/cppcheck.sh
    matches lint/tidy || return 0
    cmake --preset asan >/dev/null 2>&1
    step lint/tidy tests/lint/tidy.sh build/asan
}

run_e2e() {
    local out=build/e2e.log args=(--bin "$PWD/build/release")
    [ -z "$only" ] || args+=(--only "$only")
    tests/e2e/run.sh "${args[@]}" 2>&1 | tee "$out"
    while read -r verdict name _; do
        [ "$verdict" = ok ]
        count "e2e:$name" $?
    done < <(grep -E '^(ok|FAIL) ' "$out")
    # A runner that stopped half-way must not look like a pass.
    grep -q '^e2e: done' "$out" || count e2e:runner 1
}

packaging/deps.sh test || { echo "0 passed, 1 failed"; exit 1; }
# Most of a minute is the network's: it comes while there is something to build.
# The scenarios wait for it, and say what went wrong.
if [[ " ${presets[*]-} " == *' release '* ]] && [ -z "$only" ]; then
    tests/e2e/install_codex.sh build/codex >/dev/null 2>&1 &
fi
if [ "$lint" = yes ]; then
    note lint
    run_lint
fi
for preset in "${presets[@]}"; do
    note "$preset"
    case $preset in
    dev | asan | tsan)
        build "$preset" checks all && run_ctest "$preset"
        ;;
    release)
        build release checks all && { run_ctest release; run_e2e; }
        ;;
    fuzz)
        build fuzz checks all && run_fuzz
        ;;
    *)
        echo "no such preset: $preset"
        count "preset:$preset" 1
        ;;
    esac
done

note "all done"
if [ $failed -gt 0 ]; then
    printf 'failed: %s\n' "${failures[@]}"
    # Why, once more: what stands above may be cut off where this is read.
    [[ " ${failures[*]} " != *' e2e:'* ]] || grep '^FAILED' build/e2e.log | cut -c 1-400
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
