# The running broker is held to schema/openapi.yaml.
vault
"$SRC/tests/e2e/openapi_check.py" "$SRC/schema/openapi.yaml" "$SOCKETS/admin.sock" >"$C/contract" 2>&1 ||
    fail "$(cat "$C/contract")"
say "$(tail -n 1 "$C/contract")"
audit_verifies
