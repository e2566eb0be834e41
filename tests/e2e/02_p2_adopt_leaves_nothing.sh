# P2: after adopt no plaintext is left: file, editor copies, argv, environ,
# logs, temporary files. Every unsuitable file is refused untouched.
vault
mkdir -m 700 "$HOME/.codex"
f=$HOME/.codex/auth.json
umask 077
"$SRC/tests/e2e/make_login.py" --kind chatgpt --canaries "$C/canaries" >"$f"
cp "$f" "$f~"
cp "$f" "$HOME/.codex/.auth.json.swp"
cp "$f" "$f.bak"
touch -d '2026-01-02 03:04:05.123456789' "$f"
cp -p "$f" "$C/original"

run auth-guard scan
[ $RC -eq 1 ] || fail "scan: exit $RC"
has "$OUT$ERR" auth.json
ok auth-guard adopt --dry-run --profile codex "$f"
[ -e "$f" ] || fail "--dry-run moved the file"
ok auth-guard adopt --profile codex "$f"
[ ! -e "$f" ] || fail "the file is still there"
for copy in "$f~" "$HOME/.codex/.auth.json.swp" "$f.bak"; do
    [ ! -e "$copy" ] || fail "the editor copy is still there: $copy"
done
no_leak
ok auth-guard scan
say "adopt left nothing"

ok auth-guard release codex/default
cmp "$f" "$C/original" || fail "release changed the bytes"
[ "$(stat -c '%a %Y' "$f")" = "$(stat -c '%a %Y' "$C/original")" ] || fail "release changed mode or time"
say "release put it back as it was"
rm "$f"

# Unsuitable files: each with its word, each untouched.
try() { # WORD FILE
    local before after
    before=$(stat -c '%i %s %Y %a' "$2" 2>/dev/null)
    refused "$1" auth-guard adopt --profile codex "$2"
    after=$(stat -c '%i %s %Y %a' "$2" 2>/dev/null)
    [ "$before" = "$after" ] || fail "refused, but changed: $2"
}
key=$(canary sk-proj-)
printf '{"OPENAI_API_KEY":"%s"}' "$key" >"$C/real.json"
ln -s "$C/real.json" "$f"
run auth-guard adopt --profile codex "$f"
[ -e "$C/real.json" ] || [ $RC -eq 0 ] || fail "a symlink lost its target"
rm -f "$f"
printf '{"OPENAI_API_KEY":"%s"}' "$key" >"$f"
ln "$f" "$C/hard"
try 'link' "$f"
rm -f "$f" "$C/hard"
: >"$f"
try 'empty' "$f"
printf '{"OPENAI_API_KEY":' >"$f"
try '.' "$f"
printf '{"OPENAI_API_KEY":"\377\376%s"}' "$key" >"$f"
try '.' "$f"
head -c 400000 /dev/zero | tr '\0' x >"$f"
try 'limit|large' "$f"
rm -f "$f"
mkfifo "$f"
refused '.' timeout 60 auth-guard adopt --profile codex "$f"
rm -f "$f"
refused '.' auth-guard adopt --profile codex "$HOME/.codex/none.json"

# Dot files kept elsewhere: ~/.codex is a link, and still Codex's own place.
ok auth-guard rm --yes codex/default
mkdir -m 700 "$HOME/dots"
mv "$HOME/.codex" "$HOME/dots/codex"
ln -s dots/codex "$HOME/.codex"
for way in "$f" "$HOME/dots/codex/auth.json" --all; do
    printf '{"OPENAI_API_KEY":"%s"}' "$key" >"$f"
    ok auth-guard adopt "$way"
    ok auth-guard get codex/default
    has "$OUT" "$key"
    [ ! -e "$f" ] || fail "adopt $way: the file is left"
    ok auth-guard run --profile codex --grade file -- sh -c 'test -s ~/.codex/auth.json'
    ok auth-guard release codex/default
    [ -f "$HOME/dots/codex/auth.json" ] && [ -L "$HOME/.codex" ] || fail "not where it was"
    rm "$f"
done
say "a linked directory: named, run and released as the tool's own"
audit_verifies
no_leak
