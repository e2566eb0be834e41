# The running broker is held to schema/openapi.yaml.
# A broker that can't start says why, where there is no vault yet too.
mkdir -m 777 "$S/open"
refused 'is open to others.*chmod' env AUTH_GUARD_HOME="$S/open" auth-guard init
vault
printf %s "$(canary)" | auth-guard put open/ruled >/dev/null || fail "put"
printf %s "$(canary)" | auth-guard put open/owner >/dev/null || fail "put"
ok auth-guard rotate rule set --every 30d --grace 1h open/ruled
ok auth-guard rotate open/ruled
ok auth-guard leaked open/ruled
ok auth-guard mint set --minter postgres --from open/owner open/minted \
    host=127.0.0.1 dbname=d user=u roles=r
"$SRC/tests/e2e/openapi_check.py" "$SRC/schema/openapi.yaml" "$SOCKETS/admin.sock" >"$C/contract" 2>&1 ||
    fail "$(cat "$C/contract")"
say "$(tail -n 1 "$C/contract")"
audit_verifies
