# P9: when a task ends, however it ends, its processes, files, tokens and
# leases are gone within a second.
vault
value=$(canary)
printf %s "$value" | auth-guard put web/key >/dev/null 2>&1 || fail put
mark=agmark$$
SHOT="supervisor killed with -9"

# The task leaves a daemon behind: own session, re-parented, deaf to signals.
cat >"$TREE/task.sh" <<SH
#!/bin/sh
umask 077
printf %s "\$AUTH_GUARD_TOKEN" >"\$1/token"
sh -c 'trap "" TERM HUP INT; (setsid sh -c "trap \"\" TERM HUP INT; exec -a $mark sleep 300" &) ' 
(setsid sh -c 'trap "" TERM HUP INT; exec sleep 31337' >/dev/null 2>&1 &)
echo started >"\$1/started"
exec sleep "\${2:-300}"
SH
left() { pgrep -u "$(id -u)" -f 'sleep 31337' >/dev/null; }
gone() { ! left; }
begin() { # SECONDS OPTIONS…
    rm -f "$TREE/started" "$TREE/token"
    local secs=$1
    shift
    auth-guard run $HOW --env X=web/key --file "$HOME/key.txt=web/key" "$@" -- sh "$TREE/task.sh" "$TREE" "$secs" >"$C/task.out" 2>&1 &
    RUN=$!
    within 5 test -e "$TREE/started" || fail "the task did not start: $(cat "$C/task.out")"
    within 2 left || fail "the daemon of the task is not there"
    TASKID=$(auth-guard task list --json | jq -r '[.tasks[] | select(.running)][0].id')
}
all_gone() { # HOW
    within 1 gone || fail "$1: a process of the task is left after a second"
    wait $RUN 2>/dev/null
    [ ! -e "$HOME/key.txt" ] || fail "$1: the file is left"
    # Nobody is left who could take the link away when the supervisor itself is
    # shot: it leads nowhere, and the next run removes it.
    [ "$1" != "$SHOT" ] || auth-guard run $HOW --file "$HOME/key.txt=web/key" -- true
    [ ! -L "$HOME/key.txt" ] || fail "$1: the link is left"
    within 1 no_task || fail "$1: the task is still alive in the broker"
    api task GET /v1/tokens/self "" "Authorization: Bearer $(cat "$TREE/token")"
    [ "${STATUS:0:1}" = 4 ] || [ "${STATUS:0:1}" = 5 ] || fail "$1: the token is still good ($STATUS)"
    no_leak
    say "$1: gone"
}
no_task() { [ "$(auth-guard task list --json | jq '[.tasks[] | select(.running)] | length')" = 0 ]; }

# Isolated, its link is in its own view only; without, it is one of the home's.
for HOW in --no-isolate --isolate; do
    begin 1
    wait $RUN
    all_gone "it ended by itself"
    begin 300
    kill -TERM $RUN
    all_gone "SIGTERM"
    begin 300
    kill -KILL $RUN
    all_gone "$SHOT"
done
begin 300
auth-guard task end "$TASKID" >/dev/null || fail "task end"
all_gone "task end"
begin 300 --ttl 8s
sleep 8
all_gone "its time was up"
begin 300
ok auth-guard lock
within 1 gone || fail "lock: a process of the task is left after a second"
ok auth-guard unlock
all_gone "lock"
begin 300
kill_broker
within 1 gone || fail "broker killed: a process of the task is left"
wait $RUN 2>/dev/null
[ ! -e "$HOME/key.txt" ] && [ ! -L "$HOME/key.txt" ] || fail "broker killed: the file is left"
ok auth-guard unlock
no_task || fail "broker killed: the next one still knows the task"
no_leak
say "broker killed with -9: gone"
# What a task wrapped ends with it: nobody can fetch the value with it later.
ok auth-guard run "${INSIDE[@]}" --grant web/key:read -- sh -c 'auth-guard wrap ag://web/key --json >wrap'
wrapped=$(jq -r .token wrap)
[ -n "$wrapped" ] || fail "no wrap was made: $OUT $ERR"
api admin POST /v1/unwrap "{\"token\":\"$wrapped\"}"
[ "$(code)" = token_revoked ] || fail "a wrap outlived its task: $STATUS $(code)"
hasnt "$OUT" "$value" "a wrap that outlived its task"
say "what the task wrapped: gone"

# Without namespaces the task sees its supervisor and keeper. It can't shoot
# them (Landlock's scope of signals, Linux 6.12).
level=$(/usr/bin/python3 -c 'import ctypes
print(ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1))')
cat >"$S/bare.sh" <<'SH'
echo 0 >/proc/sys/user/max_user_namespaces || exit 77
exec setpriv --ambient-caps -all --inh-caps -all auth-guard run --no-isolate --env X=web/key -- sh -c '
    up=$(cut -d" " -f4 "/proc/$PPID/stat")
    kill -STOP "$up" 2>/dev/null || kill -KILL "$PPID" 2>/dev/null || exit 42'
SH
if [ "$level" -ge 6 ] && unshare -U --map-current-user --keep-caps true 2>/dev/null; then
    run timeout 60 unshare -U --map-current-user --keep-caps sh "$S/bare.sh"
    [ $RC -eq 77 ] || [ $RC -eq 42 ] || fail "without namespaces the task reached its supervisor: exit $RC $ERR"
    [ $RC -eq 77 ] || say "without namespaces: supervisor and keeper are out of the task's reach"
fi
run auth-guard run -- sh -c 'exit 7'
[ $RC -eq 7 ] || fail "exit code $RC instead of 7"
run auth-guard run -- sh -c 'kill -9 $$'
[ $RC -eq 137 ] || fail "exit code $RC instead of 137"
run auth-guard run -- /no/such/program
[ $RC -eq 127 ] || [ $RC -eq 125 ] || fail "exit code $RC for a missing program"
audit_verifies
