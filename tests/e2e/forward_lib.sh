# forward_lib.sh - services with certificates for the scenarios of the forward
# proxy. Sourced by them.

service() { # NAME [CERT KEY]: its port in $PORT
    python3 "$SRC/tests/e2e/proxy_service.py" "$C/$1.log" "$C/$1.port" "${@:2}" \
        >"$C/$1.out" 2>&1 &
    CLEANUP+=("kill $!")
    within 10 test -s "$C/$1.port" || fail "the service does not start"
    PORT=$(cat "$C/$1.port")
}
saw() { # NAME WORD: the service was sent it
    grep -qF -- "$2" "$C/$1.log" || fail "the service $1 was not sent: $2"
}
saw_not() { ! grep -qF -- "$2" "$C/$1.log" 2>/dev/null || fail "the service $1 was sent: $2"; }
saw_nothing() { [ ! -s "$C/$1.log" ] || fail "the service $1 was called"; }

authority() { # NAME SUBJECTALTNAME: NAME.pem, and NAME-leaf.pem, .key of its own
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj "/CN=$1" -keyout "$C/$1.key" -out "$C/$1.pem" 2>/dev/null &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
            -subj "/CN=leaf" -keyout "$C/$1-leaf.key" -out "$C/$1.csr" 2>/dev/null &&
        openssl x509 -req -in "$C/$1.csr" -CA "$C/$1.pem" -CAkey "$C/$1.key" -days 2 \
            -extfile <(echo "subjectAltName=$2") -out "$C/$1-leaf.pem" 2>/dev/null ||
        fail "no certificates"
}
