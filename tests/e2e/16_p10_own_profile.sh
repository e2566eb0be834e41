# P10: a profile of the user's own says where a login goes: it is used only
# after the operator trusted it with fresh proof, and not after it changed.
vault
own=$HOME/.config/auth-guard/profiles
(umask 077; mkdir -p "$own")
profile() { # $1 the variable that leads to the file, $2 the field that is secret
    printf '%s' '{"profile": 1, "name": "mytool", "title": "My tool", "kind": "login",
 "secret": "mytool/default", "files": [{"path": "~/.mytool/token.json",
 "format": "json", "secrets": ["'"${2-/access}"'"], "rewrite": "rename",
 "deliver": {"by": "env", "points": "dir", "var": "'"$1"'"}}]}' >"$own/mytool.json"
    chmod 600 "$own/mytool.json"
    # Profiles are read at the start.
    ok auth-guard stop
    ok auth-guard unlock
}
profile MYTOOL_HOME
key=$(canary)
mkdir -m 700 "$HOME/.mytool"
file=$HOME/.mytool/token.json
(umask 077; printf '{"access":"%s"}\n' "$key" >"$file")

refused '--trust mytool' auth-guard adopt --profile mytool "$file"
[ -s "$file" ] || fail "a refused adopt took the file"

ok auth-guard profiles --trust mytool
ok auth-guard adopt --profile mytool "$file"
ok auth-guard run --profile mytool -- sh -c 'test -s "$MYTOOL_HOME/token.json"'

profile ELSEWHERE
refused 'has changed' auth-guard run --profile mytool -- true
ok auth-guard profiles --trust mytool
ok auth-guard run --profile mytool -- sh -c 'test -s "$ELSEWHERE/token.json"'

say "one that changed is not asked what of a value is secret"
hidden() { # WHEN
    ok auth-guard redact <<<"so here it is: $key."
    hasnt "$OUT" "$key" "redact's output, $1"
}
hidden "trusted"
profile ELSEWHERE /nothing
hidden "changed, after a restart"
refused 'has changed' auth-guard run --profile mytool -- true
ok auth-guard profiles --trust mytool
ok auth-guard redact <<<"so here it is: $key."
has "$OUT" "$key" # as its owner says now
profile ELSEWHERE
hidden "changed once more"
ok auth-guard profiles --trust mytool
hidden "as it was"
no_leak
