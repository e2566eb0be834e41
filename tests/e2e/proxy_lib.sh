# proxy_lib.sh - what the scenarios of the proxies share: services, their authority
# and what they were sent. Sourced after lib.sh.

service() { # NAME [SCRIPT.py] [ARGUMENT…]: proxy_service.py, or another; its port in $PORT
    local name=$1 script=proxy_service.py
    shift
    case ${1-} in
    *.py) script=$1; shift ;;
    esac
    python3 "$SRC/tests/e2e/$script" "$C/$name.log" "$C/$name.port" "$@" \
        >"$C/$name.out" 2>&1 &
    at_end "kill $!"
    within 10 test -s "$C/$name.port" ||
        fail "the service does not start: $(cat "$C/$name.out")"
    PORT=$(cat "$C/$name.port")
}
saw() { # NAME WORD: the service was sent it
    grep -qF -- "$2" "$C/$1.log" || fail "the service $1 was not sent: $2"
}
saw_not() { ! grep -qF -- "$2" "$C/$1.log" 2>/dev/null || fail "the service $1 was sent: $2"; }
saw_nothing() { [ ! -s "$C/$1.log" ] || fail "the service $1 was called"; }

# An authority of the test's own, NAME.pem, and NAME-leaf.pem, NAME-leaf.key.
authority() { # NAME [SUBJECTALTNAME]
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj "/CN=$1" -keyout "$C/$1.key" -out "$C/$1.pem" 2>/dev/null &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
            -subj /CN=leaf -keyout "$C/$1-leaf.key" -out "$C/$1.csr" 2>/dev/null &&
        openssl x509 -req -in "$C/$1.csr" -CA "$C/$1.pem" -CAkey "$C/$1.key" -days 2 \
            -extfile <(echo "subjectAltName=${2-IP:127.0.0.1}") \
            -out "$C/$1-leaf.pem" 2>/dev/null ||
        fail "no certificates"
}
roots() { # NAME [SETTINGS]: the authority that the broker trusts, and more
    mkdir -p "$HOME/.config/auth-guard" && chmod 700 "$HOME/.config" "$HOME/.config/auth-guard"
    cp "$C/$1.pem" "$HOME/roots.pem"
    printf '[upstream]\nca_file = %s\n%b' "$HOME/roots.pem" "${2-}" \
        >"$HOME/.config/auth-guard/settings.ini"
}

# The broker's size. The highest peak is that of the key derivation: sizes are
# looked at all along.
resident() { awk '/VmRSS/{print $2}' "/proc/$BROKER/status"; }
watch() { # its size now is in $before, the others in a file, until `watched`
    before=$(resident)
    while sleep 0.02; do resident; done >"$C/resident" &
    WATCH=$!
    at_end "kill $WATCH"
}
grown() { echo $(($(sort -n "$C/resident" | tail -n 1) - before)); }
watched() { # less than 20 MiB more than before
    kill $WATCH
    [ "$(wc -l <"$C/resident")" -gt 5 ] || fail "not looked at"
    [ "$(grown)" -lt 20480 ] || fail "the broker grew by $(grown) KiB"
}

# The service `clients` of client_service.py, with a repository of one commit; it
# wants $VALUE. Its port in $CLIENTS.
clients_service() {
    mkdir -p "$S/served"
    (cd "$S" && git init -q --bare served/repo.git && git init -q made && cd made &&
        git -c user.name=a -c user.email=a@b commit -q --allow-empty -m "a change of the test" &&
        git push -q ../served/repo.git HEAD:refs/heads/main && cd ../served/repo.git &&
        git symbolic-ref HEAD refs/heads/main && git config http.receivepack true &&
        git update-server-info) || fail "no repository"
    printf %s "$VALUE" >"$C/value"
    service clients client_service.py "$C/good-leaf.pem" "$C/good-leaf.key" "$S/served" "$C/value"
    CLIENTS=$PORT
}
# Five events that came one by one, each with the time at which it was read.
one_by_one() {
    [ "$(grep -c data: <<<"$OUT")" -eq 5 ] || fail "not five events: $OUT $ERR"
    local first last
    first=$(grep data: <<<"$OUT" | sed -n 1p) last=$(grep data: <<<"$OUT" | sed -n '$p')
    [ $((${last%% *} - ${first%% *})) -gt 500 ] || fail "all at once: $OUT"
}
