# P3: what README.md says of cron and of the timer works as it stands there: its
# lines are taken from it and run in the environment that cron gives. What was
# missed three times rotates once; two runs at once do each rotation once. Clocks
# that jump: tests/unit/core/rotation_due_test.c.
. "$SRC/tests/e2e/lib.sh"
vault
for name in one two three four; do
    canary | auth-guard put "due/$name" >/dev/null 2>&1 || fail "put $name"
    ok auth-guard rotate rule set --every 1s "due/$name"
done
count() { auth-guard rotate log --json | jq '.rotations | length'; }

# ---- README's two lines, in a home that has no settings yet ----
[ ! -e "$HOME/.config/auth-guard" ] || fail "settings are there"
line=$(sed -n 's/^\$ \((umask 077; .*rotator\.env)\)$/\1/p' "$SRC/README.md")
[ -n "$line" ] || fail "README.md has no line that makes the token"
sh -c "$line" || fail "README's first line"
[ "$(stat -c %a "$HOME/.config/auth-guard/rotator.env")" = 600 ] || fail "the token's file is open to others"
sed -n 's/^AUTH_GUARD_TOKEN=//p' "$HOME/.config/auth-guard/rotator.env" >>"$C/canaries"
cron=$(sed -n 's/^\*\/10 \* \* \* \* \(.*[^ ]\) *# or in the crontab$/\1/p' "$SRC/README.md")
[ -n "$cron" ] || fail "README.md has no crontab line"
as_cron() { # as Debian's cron starts it; ours are not installed, hence BIN
    neighbour env -i HOME="$HOME" LOGNAME=user SHELL=/bin/sh PATH="$BIN:/usr/bin:/bin" /bin/sh -c "$cron"
}
sleep 3.2 # three times are missed
as_cron >"$C/cron" 2>&1 || fail "the crontab line: exit $? $(cat "$C/cron")"
[ "$(count)" -eq 4 ] || fail "missed three times: $(count) rotations"
[ "$(grep -c 'is current' "$C/cron")" -eq 4 ] || fail "not a line for each: $(cat "$C/cron")"
say "the crontab line, as cron starts it: each once, after three missed times"

# ---- two at once ----
for name in one two three four; do
    ok auth-guard rotate rule set --every 2s "due/$name"
done
sleep 2.1
as_cron >"$C/a" 2>&1 &
a=$!
as_cron >"$C/b" 2>&1 &
b=$!
wait $a || fail "run one: $(cat "$C/a")"
wait $b || fail "run two: $(cat "$C/b")"
[ "$(cat "$C/a" "$C/b" | grep -c 'is current')" -eq 4 ] || fail "two at once: $(cat "$C/a" "$C/b")"
[ "$(count)" -eq 8 ] || fail "two at once: $(count) rotations"
say "two runs at once: each rotation once"

# ---- README's line for a renewal: cron's line goes on by the new text ----
line=$(sed -n 's/^\$ \(cd ~\/.config\/auth-guard && (.*rotator\.env)\)$/\1/p' "$SRC/README.md")
[ -n "$line" ] || fail "README.md has no line that renews the token"
cp "$HOME/.config/auth-guard/rotator.env" "$C/renewed.env"
neighbour env -i HOME="$HOME" PATH="$BIN:/usr/bin:/bin" /bin/sh -c "$line" >"$C/renewed" 2>&1 ||
    fail "the renewal: exit $? $(cat "$C/renewed")"
sed -n 's/^AUTH_GUARD_TOKEN=//p' "$HOME/.config/auth-guard/rotator.env" >>"$C/canaries"
[ "$(stat -c %a "$HOME/.config/auth-guard/rotator.env")" = 600 ] || fail "the new token's file is open to others"
[ "$(grep -c . "$HOME/.config/auth-guard/rotator.env")" -eq 2 ] || fail "the file is not what it was"
! cmp -s "$HOME/.config/auth-guard/rotator.env" "$C/renewed.env" || fail "nothing was renewed"
rm "$C/renewed.env"
say "a renewal, as README says it"

# ---- nothing due: no mail ----
for name in one two three four; do
    ok auth-guard rotate rule set --every 30d "due/$name"
done
as_cron >"$C/none" 2>&1 || fail "nothing due: exit $?"
[ ! -s "$C/none" ] || fail "nothing due, and yet: $(cat "$C/none")"
# A run that can't be is a mail.
ok auth-guard lock
as_cron >"$C/none" 2>&1 && fail "a locked vault is no failure"
has "$(cat "$C/none")" 'locked'
say "nothing due says nothing, a locked vault is said"

# ---- the timer ----
units=$C/units
mkdir -p "$units"
for unit in auth-guard-rotate.service auth-guard-rotate.timer; do
    cp "${BIN%/*}/lib/systemd/user/$unit" "$units/" || fail "$unit is not installed"
done
has "$(cat "$units/auth-guard-rotate.service")" "ExecStart=$BIN/auth-guard rotate --due"
has "$(cat "${BIN%/*}/lib/systemd/user/auth-guard.service")" "ExecStart=$BIN/auth-guardd"
if command -v systemd-analyze >/dev/null; then
    HOME=$HOME systemd-analyze --user verify "$units/auth-guard-rotate.timer" "$units/auth-guard-rotate.service" >"$C/verify" 2>&1 ||
        fail "the units: $(cat "$C/verify")"
    ! grep -q "$units" "$C/verify" || fail "the units: $(cat "$C/verify")"
    has "$(systemd-analyze calendar "$(sed -n 's/^OnCalendar=//p' "$units/auth-guard-rotate.timer")")" 'Next elapse'
    say "the timer and its service verify"
else
    say "no systemd-analyze here: the units are not verified"
fi
ok auth-guard unlock
rm "$HOME/.config/auth-guard/rotator.env" # the one place for that token
audit_verifies
no_leak
