# P10: a profile of the user's own says where a login goes: it is used only
# after the operator trusted it with fresh proof, and not after it changed.
vault
own=$XDG_CONFIG_HOME/auth-guard/profiles
mkdir -p -m 700 "$XDG_CONFIG_HOME" "$XDG_CONFIG_HOME/auth-guard" "$own"
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

run auth-guard adopt --profile mytool "$file"
[ $RC -ne 0 ] || fail "a profile nobody trusted was used by adopt"
[ -s "$file" ] || fail "a refused adopt took the file"
case $ERR in *--trust\ mytool*) ;; *) fail "the refusal does not say what to type: $ERR" ;; esac

ok auth-guard profiles --trust mytool
ok auth-guard adopt --profile mytool "$file"
run auth-guard run --profile mytool -- sh -c 'wc -c <"$MYTOOL_HOME/token.json"'
[ $RC -eq 0 ] || fail "a trusted profile is refused: $ERR"

profile ELSEWHERE
run auth-guard run --profile mytool -- sh -c 'cat "$ELSEWHERE/token.json"'
[ $RC -eq 125 ] || fail "a profile that changed was used"
case $ERR in *has\ changed*) ;; *) fail "the refusal does not say why: $ERR" ;; esac
ok auth-guard profiles --trust mytool
ok auth-guard run --profile mytool -- sh -c 'test -s "$ELSEWHERE/token.json"'
no_leak
