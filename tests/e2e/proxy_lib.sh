# proxy_lib.sh - what the scenarios of the proxy share: services, their authority
# and what they were sent. Sourced after lib.sh.

service() { # NAME SCRIPT [CERT KEY]: its port in $PORT
    python3 "$SRC/tests/e2e/$2" "$C/$1.log" "$C/$1.port" "${@:3}" \
        >"$C/$1.out" 2>&1 &
    CLEANUP+=("kill $!")
    within 10 test -s "$C/$1.port" || fail "the service does not start"
    PORT=$(cat "$C/$1.port")
}

# An authority of the test's own, NAME.pem and NAME-leaf.pem, NAME-leaf.key.
authority() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj "/CN=$1" -keyout "$C/$1.key" -out "$C/$1.pem" 2>/dev/null &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
            -subj /CN=127.0.0.1 -keyout "$C/$1-leaf.key" -out "$C/$1.csr" 2>/dev/null &&
        openssl x509 -req -in "$C/$1.csr" -CA "$C/$1.pem" -CAkey "$C/$1.key" -days 2 \
            -extfile <(echo subjectAltName=IP:127.0.0.1) -out "$C/$1-leaf.pem" 2>/dev/null ||
        fail "no certificates"
}
roots() { # NAME: the authority that the broker trusts
    mkdir -p "$HOME/.config/auth-guard" && chmod 700 "$HOME/.config" "$HOME/.config/auth-guard"
    cp "$C/$1.pem" "$HOME/roots.pem"
    printf '[upstream]\nca_file = %s\n' "$HOME/roots.pem" >"$HOME/.config/auth-guard/settings.ini"
}
