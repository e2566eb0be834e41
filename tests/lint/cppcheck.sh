#!/bin/sh
# cppcheck.sh - a second opinion: warnings, performance, portability.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/cppcheck
# normalCheckLevel and toomanyconfigs are remarks about cppcheck, not the code;
# memleak and resourceLeak do not know the cleanup attribute (AG_AUTO), and
# LeakSanitizer watches in every test.
cppcheck --std=c11 --enable=warning,performance,portability --quiet \
    --error-exitcode=1 --inline-suppr -j "$(nproc)" --max-configs=4 \
    --suppress=missingIncludeSystem --suppress=toomanyconfigs \
    --suppress=normalCheckLevelMaxBranches \
    --suppress=memleak --suppress=resourceLeak \
    --cppcheck-build-dir=build/cppcheck -D_GNU_SOURCE -D__linux__ \
    -DAG_VERSION='"0"' --include=tests/lint/cppcheck.h \
    -I broker -I cli broker cli
