#!/bin/sh
# size.sh - files of at most 500 lines, functions of complexity up to 15.
set -eu
cd "$(dirname "$0")/../.."
bad=0
long=$(find broker cli tests -name '*.[ch]' -exec awk 'END { if (NR > 500) print FILENAME ": " NR " lines, at most 500" }' {} \;)
[ -z "$long" ] || { echo "$long"; bad=1; }
# pmccabe columns: modified McCabe, McCabe, statements, first line, lines, file(line): name.
# A switch over an enum counts as one decision, so the first column decides.
knotted=$(find broker cli -name '*.c' -exec pmccabe {} + 2>/dev/null | awk '$1 > 15 { print $6 " " $7 ": complexity " $1 ", at most 15" }')
[ -z "$knotted" ] || { echo "$knotted"; bad=1; }
exit $bad
