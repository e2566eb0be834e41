# P7 for root, who gets a user namespace of its own too: the same tries.
# as: root
# timeout: 600
. "$SRC/tests/e2e/isolated_lib.sh"
vault
printf %s "$(canary)" | auth-guard put web/key >/dev/null 2>&1 || fail put
outside
escapes workspace --isolate
escapes offline --isolate=offline
run auth-guard run --isolate -- sh -c 'id -u; echo x >file && git add file && git commit -qm one && unshare -Urm sh -c "mount -t tmpfs t /tmp && echo nested"'
has "$OUT" nested
[ "$(git -C "$TREE" log --format=%s)" = one ] || fail "git commit: $RC $OUT $ERR"
audit_verifies
