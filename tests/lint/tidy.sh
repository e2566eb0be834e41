#!/bin/sh
# tidy.sh BUILD - clang-tidy over every file that BUILD (a configured clang
# build folder) compiles. A file whose text, headers and checks are as they
# were when it last passed is not looked at again; the marks lie in BUILD/tidy.
set -eu
cd "$(dirname "$0")/../.."
build=${1:?usage: tests/lint/tidy.sh BUILD}
mkdir -p "$build/tidy"
headers=$(find broker cli tests -name '*.h' | sort | xargs cat .clang-tidy tests/.clang-tidy | sha256sum | cut -d' ' -f1)
export build headers
find broker cli tests -name '*.c' | sort | xargs -P "$(nproc)" -I{} sh -c '
    grep -q "\"file\": \".*/$1\"" "$build/compile_commands.json" || exit 0
    mark=$build/tidy/$( (echo "$headers"; cat "$1") | sha256sum | cut -c1-40)
    [ ! -e "$mark" ] || exit 0
    out=$(clang-tidy --quiet -p "$build" "$1" 2>/dev/null) && touch "$mark" && exit 0
    printf "%s\n" "$out"
    exit 1' sh {}
