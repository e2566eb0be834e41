#!/bin/sh
# format.sh - the layout of .clang-format, checked.
set -eu
cd "$(dirname "$0")/../.."
find broker cli tests -name '*.[ch]' | sort | xargs -r clang-format --dry-run -Werror
