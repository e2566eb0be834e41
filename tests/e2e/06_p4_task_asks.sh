# P4: a task that calls get, release, token create, approve, or the admin API
# itself gets nothing beyond its grants, on any socket.
vault
value=$(canary)
printf %s "$value" | auth-guard put web/key >/dev/null 2>&1 || fail put
mkdir -m 700 "$HOME/.codex"
(umask 077; printf '{"OPENAI_API_KEY":"%s"}\n' "$(canary sk-proj-)" >"$HOME/.codex/auth.json")
ok auth-guard adopt --profile codex "$HOME/.codex/auth.json"

# What a task does to its login instead of refreshing it is told, and undoes
# nothing in the vault.
told() { # COMMAND SENTENCE: with $l, the file itself
    run auth-guard run --profile codex --grade file -- sh -c "l=\$(readlink -f ~/.codex/auth.json); $1"
    has "$ERR" "$2"
    ok auth-guard get codex/default
    has "$OUT" sk-proj-
}
told 'echo "{nonsense" >"$l"' 'beside the current one'
told 'rm "$l"' 'was removed'
told 'rm "$l"; ln -s /etc/passwd "$l"' 'no plain file'
told 'rm "$l"; mkfifo "$l"' 'no plain file'
run auth-guard run --profile codex --grade file -- true
hasnt "$ERR" 'auth.json' 'a run that left its login alone'
say "a login that is no login any more is told"

# The passphrase is not in the task's environment; a task may still try.
ok auth-guard run --env X=web/key -- sh -c 'env'
hasnt "$OUT" AUTH_GUARD_PASSPHRASE_FILE "the task's environment"
hasnt "$OUT" "$value" "the task's output"
has "$OUT" '[redacted:web/key]'

# Isolated it has neither passphrase nor admin.sock; what is asked here is what a
# task gets that does.
denied() { # COMMAND: in a task, with and without the operator's passphrase
    run auth-guard run --no-isolate --env X=web/key -- sh -c "$1"
    [ $RC -ne 0 ] || fail "a task was allowed: $1 :: $OUT"
    run auth-guard run --no-isolate --env X=web/key -- sh -c "AUTH_GUARD_PASSPHRASE_FILE='$C/passphrase'; export AUTH_GUARD_PASSPHRASE_FILE; $1"
    [ $RC -ne 0 ] || fail "a task with the passphrase was allowed: $1 :: $OUT"
    say "refused to a task: $1"
}
denied 'auth-guard get web/key'
denied 'auth-guard get codex/default'
denied 'auth-guard release codex/default'
denied 'auth-guard list --json | grep -q codex/default'
denied 'auth-guard token create --grant codex/default:read'
denied 'auth-guard token create --unbound --grant codex/default:read'
denied 'env -u AUTH_GUARD_TOKEN auth-guard get codex/default'
denied 'env -u AUTH_GUARD_TOKEN auth-guard token create --grant codex/default:read'
denied 'auth-guard approve 1'
denied 'printf x | auth-guard put web/key'
denied 'auth-guard rm --yes web/key'
denied 'auth-guard rekey'
denied 'auth-guard lock'
denied 'auth-guard stop'
denied 'auth-guard role create r auditor'
denied 'auth-guard run --env Y=codex/default -- sh -c true'
denied 'setsid -w auth-guard get codex/default'
denied 'setsid -w auth-guard unlock && setsid -w auth-guard get codex/default'
for route in 'GET /v1/secrets/codex%2Fdefault/value' 'PUT /v1/secrets/web%2Fnew' \
    'DELETE /v1/secrets/web%2Fkey' 'POST /v1/tasks' 'POST /v1/lock' 'POST /v1/stop' \
    'POST /v1/rekey' 'POST /v1/moves' 'POST /v1/roles' 'GET /v1/audit' 'POST /v1/slots' \
    'GET /v1/tasks' 'GET /v1/slots' 'GET /v1/audit/export'; do
    for sock in admin task; do
        run auth-guard run --no-isolate --env X=web/key -- sh -c \
            "curl -s -o /dev/null -w '%{http_code}' -X ${route% *} -H 'Content-Type: application/json' -d '{}' --unix-socket '$SOCKETS/$sock.sock' 'http://localhost${route#* }'"
        [ "${OUT:0:1}" = 4 ] || fail "a task got $OUT for $route on $sock.sock"
    done
done
say "refused to a task on both sockets: every operator's route"
ok auth-guard get web/key
[ "$OUT" = "$value" ] || fail "the secret changed"
audit_verifies
