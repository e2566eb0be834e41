#!/bin/sh
# floors.sh - a file includes only from its own folder and from floors below.
# The order is the one of the rooms: base at the bottom, daemon at the top.
set -eu
cd "$(dirname "$0")/../.."

floors='base:0 crypt:1 redact:1 wire:1 tls:1 privsep:2 caller:2 profile:2 upstream:2 rules:2
store:2 policy:3 rotate:3 core:4 http:5 handover:5 proxy:5 daemon:6'
# What the command line may use: it never links libmicrohttpd or SQLite.
cli_may='base crypt redact wire profile'

find broker cli -name '*.[ch]' | sort | xargs -r grep -nHE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' |
    awk -v floors="$floors" -v cli_may="$cli_may" '
BEGIN {
    n = split(floors, f, /[ \n]+/)
    for (i = 1; i <= n; i++) { split(f[i], kv, ":"); floor[kv[1]] = kv[2] }
    n = split(cli_may, c, " ")
    for (i = 1; i <= n; i++) may[c[i]] = 1
}
function refuse(why) { print $0 ": " why; bad = 1 }
{
    split($0, at, ":")
    split(at[1], from, "/")
    match($0, /"[^"]*"/)
    target = substr($0, RSTART + 1, RLENGTH - 2)
    if (target ~ /\.\./) { refuse("no relative climbing"); next }
    parts = split(target, to, "/")
    if (from[1] == "cli") {
        if (to[1] in floor && parts > 1 && !(to[1] in may))
            refuse("the command line does not link " to[1])
        next
    }
    room = from[2]
    if (!(room in floor)) { refuse("unknown room " room); next }
    if (parts == 1) { refuse("say the room: \"" room "/" target "\""); next }
    if (to[1] == room) next
    if (!(to[1] in floor)) { refuse("unknown room " to[1]); next }
    if (floor[to[1]] >= floor[room])
        refuse("floor " floor[room] " includes floor " floor[to[1]])
}
END { exit bad }'
