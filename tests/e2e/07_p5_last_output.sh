# P5: what a command printed comes out, all of it, however late it is read and
# whatever happens meanwhile; where it can't, `run` says so.
. "$SRC/tests/e2e/lib.sh"
vault

WANT=$(seq 1 60000 | sha256sum) # more than two pipes and what the filter reads hold
none_runs() { [ "$(auth-guard task list --json | jq '[.tasks[] | select(.running)] | length')" -eq 0 ]; }
# A command whose output nobody reads yet, though it and its task have ended.
unread() { # COMMAND…: run's process in $RUN, what it prints on descriptor 9
    rm -f "$C/pipe"
    mkfifo "$C/pipe"
    auth-guard run --no-isolate -- "$@" >"$C/pipe" 2>"$C/err" &
    RUN=$!
    exec 9<"$C/pipe"
    # No more than it says: the rest is more than a pipe, less than two, holds.
    [ -n "$(timeout 20 head -c 1 <&9)" ] || fail "nothing is printed: $(cat "$C/err")"
}
ended() { within 20 none_runs || fail "the task goes on: $(cat "$C/err")"; }
# Some of it was read: whatever follows is whole if its last line is.
rest() { cat <&9 >"$C/rest"; wait $RUN; RC=$?; exec 9<&-; LAST=$(tail -n 1 "$C/rest"); }

say "a reader that begins when the task has long ended gets all of it"
for left in '' 'sleep 60 &'; do
    auth-guard run --no-isolate -- sh -c "$left seq 1 20000" 2>"$C/err" | {
        within 20 none_runs
        sleep 1.2
        sha256sum
    } >"$C/sum"
    RC=${PIPESTATUS[0]}
    [ "$RC" -eq 0 ] || fail "exit $RC: $(cat "$C/err")"
    [ "$(cat "$C/sum")" = "$(seq 1 20000 | sha256sum)" ] || fail "not all of it"
done
auth-guard run -- seq 1 60000 2>"$C/err" | { sleep 1.2; sha256sum; } >"$C/sum"
[ "$(cat "$C/sum")" = "$WANT" ] || fail "not all of it: $(cat "$C/err")"

say "so does a terminal, also while something holds it still"
cat >"$C/terminal.py" <<'P'
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.system("auth-guard unlock >/dev/null 2>&1")
    os.execvp(sys.argv[1], sys.argv[1:])
time.sleep(2)
out = b""
try:
    while part := os.read(fd, 512):
        out += part
        time.sleep(0.001)
except OSError:
    pass
status = os.waitpid(pid, 0)[1]
sys.stdout.buffer.write(out.replace(b"\r", b""))
sys.exit(os.waitstatus_to_exitcode(status))
P
for left in '' 'sleep 60 &'; do
    ok python3 "$C/terminal.py" auth-guard run --no-isolate -- sh -c "$left seq 1 8000"
    [ "$(grep -xE '[0-9]+' <<<"$OUT" | sha256sum)" = "$(seq 1 8000 | sha256sum)" ] ||
        fail "not all of it: $(tail -n 3 <<<"$OUT")"
done

say "signals that end nothing end no output; those that do are obeyed"
for signal in WINCH CONT USR1 USR2; do
    unread seq 1 20000
    ended
    kill -$signal $RUN
    sleep 0.2
    rest
    [ $RC -eq 0 ] && [ "$LAST" = 20000 ] || fail "$signal: exit $RC, $LAST: $(cat "$C/err")"
done
unread seq 1 20000
ended
kill -TERM $RUN
wait $RUN && RC=0 || RC=$? # it ends though nobody reads
LAST=$(tail -n 1 <&9)
exec 9<&-
[ $RC -eq 143 ] && [ "$LAST" != 20000 ] || fail "TERM: exit $RC, $LAST"

say "what can't be written is said"
run bash -c 'auth-guard run -- echo lost >/dev/full'
[ $RC -eq 125 ] || fail "exit $RC: $ERR"
has "$ERR" 'not all that the command printed'
run bash -c 'auth-guard run -- sh -c "echo lost; exit 3" >/dev/full'
[ $RC -eq 3 ] || fail "exit $RC: $ERR"
has "$ERR" 'not all that the command printed'
run bash -c 'auth-guard run -- sh -c "echo whole; echo lost >&2" 2>/dev/full'
[ $RC -eq 125 ] && [ "$OUT" = whole ] || fail "exit $RC: $OUT"

say "a reader that has gone is no fault"
run bash -c 'auth-guard run -- seq 1 100000 | head -n 1; exit ${PIPESTATUS[0]}'
[ $RC -eq 141 ] && [ "$OUT$ERR" = 1 ] || fail "exit $RC: $OUT $ERR"
run bash -c 'auth-guard run -- sh -c "sleep 0.3; echo late" | true; exit ${PIPESTATUS[0]}'
[ $RC -eq 0 ] && [ -z "$ERR" ] || fail "exit $RC: $ERR"

say "the last line of a short command, forty times"
for i in $(seq 40); do
    ok auth-guard run -- sh -c 'printf "%s" "$0"' "line $i"
    [ "$OUT" = "line $i" ] || fail "'$OUT' is not line $i"
done
