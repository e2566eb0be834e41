# P4: a task token works for its grants, from its process tree, until its end.
# Elsewhere or otherwise: its own code, on the record.
vault
value=$(canary)
printf %s "$value" | auth-guard put web/key >/dev/null 2>&1 || fail put
other=$(canary)
printf %s "$other" | auth-guard put web/other >/dev/null 2>&1 || fail put

# A task that shares its token with us and then waits to be told to end.
start_task() { # OPTIONS…
    rm -f "$TREE/token" "$TREE/go"
    auth-guard run "$@" -- sh -c 'umask 077; printf %s "$AUTH_GUARD_TOKEN" >"$0/token.new"
        mv "$0/token.new" "$0/token"; while [ ! -e "$0/go" ]; do sleep 0.05; done' "$TREE" \
        >"$C/task.out" 2>&1 &
    TASK=$!
    within 5 test -s "$TREE/token" || fail "the task did not start: $(cat "$C/task.out")"
    TOKEN=$(cat "$TREE/token")
    cat "$TREE/token" >>"$C/tokens"
}
end_task() {
    touch "$TREE/go"
    wait $TASK
}
as_token() { # TOKEN METHOD PATH [BODY]
    api task "$2" "$3" "${4-}" "Authorization: Bearer $1"
}
is_refused() { # CODE WHAT
    [ "${STATUS:0:1}" = 4 ] || fail "$2: status $STATUS"
    [ "$(code)" = "$1" ] || fail "$2: wanted $1, got $(code) $OUT"
    say "$2: $1"
}

start_task --grant web/key:read
[[ $TOKEN =~ ^agt_[A-Za-z0-9]{49}$ ]] || fail "not the shape of a token"
as_token "${TOKEN%?}" GET /v1/tokens/self
is_refused token_malformed "a truncated token"
as_token "${TOKEN%?}$( [ "${TOKEN: -1}" = A ] && echo B || echo A)" GET /v1/tokens/self
is_refused token_malformed "a token with a wrong checksum"
as_token "nonsense" GET /v1/tokens/self
is_refused token_malformed "no token at all"
# From another process: this shell is the operator's, the token the task's.
as_token "$TOKEN" GET /v1/secrets/web%2Fkey/value
is_refused wrong_process "from another process"
audit_has wrong_process
as_token "$TOKEN" GET /v1/secrets/web%2Fkey/value
[ "${STATUS:0:1}" = 4 ] || fail "the stolen token is still good"
end_task
say "and the task's tokens were revoked"

# From inside its tree it works, for its grants only.
ok auth-guard run "${INSIDE[@]}" --grant web/key:read -- sh -c 'auth-guard get web/key'
has "$OUT" '[redacted'
refused 'not_granted|grant' auth-guard run "${INSIDE[@]}" --grant web/key:read -- auth-guard get web/other
refused 'not_granted|grant' auth-guard run "${INSIDE[@]}" --grant web/other:env -- auth-guard get web/key

# A child that would be wider than its parent; one that is used up; one revoked.
inside() { # SCRIPT: runs in a task with a read grant
    run auth-guard run "${INSIDE[@]}" --grant web/key:read -- sh -c "$1"
}
inside 'auth-guard token create --grant web/other:read --json'
[ $RC -ne 0 ] && [[ $OUT$ERR =~ wider ]] || fail "a wider child was made: $OUT $ERR"
say "a child wider than its parent: refused"
inside 'T=$(auth-guard token create --uses 1 --json | sed -n "s/.*\"token\": *\"\([^\"]*\)\".*/\1/p")
    [ -n "$T" ] || exit 9
    AUTH_GUARD_TOKEN=$T auth-guard get web/key >/dev/null || exit 8
    AUTH_GUARD_TOKEN=$T auth-guard get web/key --json 2>&1'
[[ $OUT =~ token_used_up|"no uses left" ]] || fail "a used-up token: $RC $OUT $ERR"
say "a used-up token: refused"
inside 'T=$(auth-guard token create --ttl 1s --json | sed -n "s/.*\"token\": *\"\([^\"]*\)\".*/\1/p")
    sleep 1.3; AUTH_GUARD_TOKEN=$T auth-guard get web/key --json 2>&1'
[[ $OUT =~ token_expired|expired ]] || fail "an expired token: $OUT $ERR"
say "an expired token: refused"
inside 'J=$(auth-guard token create --json); T=$(printf %s "$J" | sed -n "s/.*\"token\": *\"\([^\"]*\)\".*/\1/p")
    A=$(printf %s "$J" | sed -n "s/.*\"accessor\": *\"\([^\"]*\)\".*/\1/p")
    auth-guard token revoke "$A" || exit 9
    AUTH_GUARD_TOKEN=$T auth-guard get web/key --json 2>&1'
[[ $OUT =~ token_revoked|revoked ]] || fail "a revoked token: $OUT $ERR"
say "a revoked token: refused"

inside 'T=$(auth-guard token create --uses 1 --json | sed -n "s/.*\"token\": *\"\([^\"]*\)\".*/\1/p")
    AUTH_GUARD_TOKEN=$T auth-guard token create --json 2>&1'
[ $RC -ne 0 ] && [[ $OUT =~ wider ]] || fail "a token of one use has children: $OUT $ERR"
say "a child of a token with few uses: refused"
inside 'auth-guard token create 2>/dev/null'
[ "$OUT" = '[redacted:auth-guard/token]' ] || fail "a child's token is printed"
say "a child's token in the output: redacted"

# Over TCP the witness finds the process behind the connection.
port=$(cat "$SOCKETS/port" "$VAULT/run/port" 2>/dev/null | head -n 1)
if [ -n "$port" ]; then
    start_task --grant web/key:read
    status=$(curl -s -o "$C/out" -w '%{http_code}' -H "Authorization: Bearer $TOKEN" \
        "http://127.0.0.1:$port/v1/secrets/web%2Fkey/value")
    OUT=$(cat "$C/out")
    STATUS=$status
    # Outside every task the witness looks no further: refused either way.
    [ "${STATUS:0:1}" = 4 ] && [[ $(code) =~ ^(wrong_process|caller_unknown)$ ]] ||
        fail "from another process, over TCP: $STATUS $OUT"
    say "from another process, over TCP: $(code)"
    end_task
    for how in --isolate --no-isolate; do
        run auth-guard run $how --grant web/key:read -- sh -c \
            'curl -s -H "Authorization: Bearer $AUTH_GUARD_TOKEN" "http://127.0.0.1:'"$port"'/v1/secrets/web%2Fkey/value"'
        has "$OUT" '[redacted'
    done
    status=$(curl -s -o /dev/null -w '%{http_code}' -H 'Host: evil.example' "http://127.0.0.1:$port/v1/health")
    [ "${status:0:1}" = 4 ] || fail "a wrong Host was answered with $status"
fi

# A socket passed on by a process of the tree, and a pid that is used again.
"$SRC/tests/e2e/passed_on.py" "$SOCKETS/task.sock" >"$C/out" 2>&1 || fail "passed on: $(cat "$C/out")"
say "$(tail -n 1 "$C/out")"
audit_verifies
hasnt "$(cat "$C/task.out")" "$value" "the task's output"
