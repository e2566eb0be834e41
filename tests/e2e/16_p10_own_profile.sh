# P10: a profile of the user's own says where a login goes: it is used only
# after the operator trusted it with fresh proof, and not after it changed.
vault
own=$HOME/.config/auth-guard/profiles
(umask 077; mkdir -p "$own")
profile() { # $1 the variable that leads to the file
    printf '%s' '{"profile": 1, "name": "mytool", "title": "My tool", "kind": "login",
 "secret": "mytool/default", "files": [{"path": "~/.mytool/token.json",
 "format": "json", "secrets": ["/access"], "rewrite": "rename",
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
no_leak
