# P3: adopt, release and put killed at every system call of the command line.
# After each kill the next start says what it found; exactly one good copy.
# timeout: 900
vault
mkdir -m 700 "$HOME/.codex"
f=$HOME/.codex/auth.json
tried=0
step=${CRASH_STEP:-1}
# A SIGKILL can leave a connection half-way: the broker must shrug it off.
settle() { # the operator's next start
    run timeout 60 auth-guard status
    [ $RC -eq 0 ] || fail "after a kill at call $n of $what: status: $ERR"
}
make_file() {
    key=$(canary sk-proj-)
    rm -f "$f"
    (umask 077; printf '{"OPENAI_API_KEY":"%s"}\n' "$key" >"$f")
}
in_vault() { auth-guard get 'codex/default' 2>/dev/null | grep -qF -- "$key"; }
on_disk() { grep -qF -- "$key" "$f" 2>/dev/null; }
one_copy() {
    local copies=0
    in_vault && copies=$((copies + 1))
    on_disk && copies=$((copies + 1))
    [ $copies -eq 1 ] || fail "$what killed at call $n: $copies good copies"
    if [ -e "$f" ] && ! on_disk; then fail "$what killed at call $n: a torn file is left"; fi
}

what=adopt
for ((n = 1; ; n += step)); do
    make_file
    e2e_crash "$n" auth-guard adopt --profile codex "$f" >"$C/out" 2>"$C/err"
    rc=$?
    tried=$((tried + 1))
    settle
    one_copy
    auth-guard rm --yes codex/default >/dev/null 2>&1
    [ $rc -eq 137 ] || break
done
[ $rc -eq 0 ] || fail "adopt itself failed: $(cat "$C/err")"
say "adopt: $n points tried"

what=release
for ((n = 1; ; n += step)); do
    make_file
    ok auth-guard adopt --profile codex "$f"
    e2e_crash "$n" auth-guard release codex/default >"$C/out" 2>"$C/err"
    rc=$?
    tried=$((tried + 1))
    settle
    one_copy
    rm -f "$f"
    auth-guard rm --yes codex/default >/dev/null 2>&1
    [ $rc -eq 137 ] || break
done
[ $rc -eq 0 ] || fail "release itself failed: $(cat "$C/err")"
say "release: $n points tried"

what=put
for ((n = 1; ; n += step)); do
    old=$(canary) new=$(canary)
    printf %s "$old" | auth-guard put some/thing >/dev/null 2>&1 || fail "put"
    printf %s "$new" | e2e_crash "$n" auth-guard put some/thing >"$C/out" 2>"$C/err"
    rc=$?
    tried=$((tried + 1))
    run auth-guard get some/thing
    [ "$OUT" = "$old" ] || [ "$OUT" = "$new" ] || fail "put killed at call $n: neither value"
    [ $rc -ne 0 ] || [ "$OUT" = "$new" ] || fail "put said yes and lost the value"
    [ $rc -eq 137 ] || break
done
say "put: $n points tried"
ok auth-guard audit verify
rm -f "$f"
no_leak
say "$tried points tried in all"
