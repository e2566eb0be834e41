# The running broker is held to schema/openapi.yaml.
# A broker that can't start says why, where there is no vault yet too.
mkdir -m 777 "$S/open"
refused 'is open to others.*chmod' env AUTH_GUARD_HOME="$S/open" auth-guard init
vault
"$SRC/tests/e2e/openapi_check.py" "$SRC/schema/openapi.yaml" "$SOCKETS/admin.sock" >"$C/contract" 2>&1 ||
    fail "$(cat "$C/contract")"
say "$(tail -n 1 "$C/contract")"
audit_verifies
