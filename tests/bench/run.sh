#!/bin/sh
# run.sh [--bin BUILD] [--rounds N] [--quick] [--only PART] - the
# benchmarks: one table, both sides of every ratio measured in one run, medians
# of five rounds. Not part of tests/run.sh: a busy machine would fail for no
# reason. See bench.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec /usr/bin/python3 "$here/bench.py" "$@"
