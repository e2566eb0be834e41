# P6: a service is added by a profile alone. Does what README.md says, with its
# texts, against a service at the host's own name.
#
# That name and port 443 are those of a network of the scenario's own.
if [ -z "${OWN_NET-}" ]; then
    printf '127.0.0.1 localhost\n9.9.9.9 api.harbourline.example other.example\n' >"$S/hosts"
    cat >"$S/net.py" <<'T'
import fcntl, socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for name, address in ("lo", "127.0.0.1"), ("lo:1", "9.9.9.9"):
    ip = struct.pack("16sH2s4s8x", name.encode(), socket.AF_INET, b"", socket.inet_aton(address))
    fcntl.ioctl(s, 0x8916, ip)  # SIOCSIFADDR
    fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", name.encode(), 0x41))  # up, running
T
    own_programs
    OWN_NET=1 exec unshare --map-current-user --keep-caps --net --mount bash -c '
        python3 "$S/net.py" && mount --bind "$S/hosts" /etc/hosts &&
        echo 443 >/proc/sys/net/ipv4/ip_unprivileged_port_start &&
        exec setpriv --ambient-caps=-all --inh-caps=-all -- \
            bash -c ". \"\$SRC/tests/e2e/lib.sh\"; . \"\$1\"" bash "$1"' bash "${BASH_SOURCE[0]}"
fi
. "$SRC/tests/e2e/lib.sh"

section() { # what README.md says of it
    sed -n '/^### A service, by a profile alone/,/^## /p' "$SRC/README.md"
}
block() { # LANGUAGE: its blocks there
    section | awk -v want="$1" '/^```/ { inside = !inside; here = inside && substr($0, 4) == want; next }
        here'
}
NAME=$(block json | jq -r .name)
HOST=$(block json | jq -r '.places[0].hosts[0]')
HEADER=$(block json | jq -r '.places[0].name')
[ -n "$NAME" ] && [ -n "$HOST" ] || fail "README.md has no profile of a service"
[ ! -e "$SRC/schema/profiles/$NAME.json" ] || fail "$NAME is shipped"

say "the service: it takes one key, in one header"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=t \
    -keyout "$C/ca.key" -out "$HOME/ca.pem" 2>/dev/null &&
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$HOST" \
        -keyout "$C/leaf.key" -out "$C/leaf.csr" 2>/dev/null &&
    openssl x509 -req -in "$C/leaf.csr" -CA "$HOME/ca.pem" -CAkey "$C/ca.key" -days 2 \
        -extfile <(echo "subjectAltName=DNS:$HOST,DNS:other.example") \
        -out "$C/leaf.pem" 2>/dev/null || fail "no certificate"
cat >"$C/service.py" <<'T'
import http.server, json, ssl, sys
log, header, cert, key, want = sys.argv[1:6]

class Service(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        with open(log, "a") as f:
            print(self.headers.get("Host"), self.path, self.headers.get(header), file=f)
        ok = self.headers.get(header) == open(want).read()
        body = json.dumps({"deploys": 3 if ok else None, "you sent": self.headers.get(header)})
        self.send_response(200 if ok else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

server = http.server.ThreadingHTTPServer(("9.9.9.9", 443), Service)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
open(log, "w").close()
server.serve_forever()
T
KEY=hlk_$(head -c 400 /dev/urandom | base64 -w0 | tr -dc 'A-Za-z0-9' | head -c 40)
printf '%s\n' "$KEY" >>"$C/canaries"
printf %s "$KEY" >"$C/key"
python3 "$C/service.py" "$C/log" "$HEADER" "$C/leaf.pem" "$C/leaf.key" "$C/key" >"$C/py" 2>&1 &
CLEANUP+=("kill $!")
within 10 test -f "$C/log" || fail "the service does not start: $(cat "$C/py")"

say "README's profile and README's commands"
(umask 077 && mkdir -p "$HOME/.config/auth-guard/profiles")
printf '[upstream]\nca_file = %s\n' "$HOME/ca.pem" >"$HOME/.config/auth-guard/settings.ini"
chmod 600 "$HOME/.config/auth-guard/settings.ini"
vault
block json >"$HOME/.config/auth-guard/profiles/$NAME.json"
block sh >deploys.sh
refused 'when the broker starts' auth-guard put --profile "$NAME" x/y <"$C/key"
block '' | sed -n 's/^\$ //p' >"$C/commands"
[ "$(wc -l <"$C/commands")" -eq 5 ] || fail "README.md's commands: $(cat "$C/commands")"
while read -r command; do
    ok bash -c "$command" <"$C/key"
    say "$command"
done <"$C/commands"
has "$OUT" '"deploys": 3'
has "$OUT" '"you sent": "[redacted]"'
grep -qx "$HOST /v2/deploys?state=failed $KEY" "$C/log" || fail "sent: $(cat "$C/log")"

say "and what it says beside them"
RUN=$(tail -n 1 "$C/commands") # ends with the script
with() { # SCRIPT
    printf '%s\n' "$1" >other.sh
    run bash -c "${RUN/deploys.sh/other.sh}"
}
with 'printf %s "$HARBOUR_KEY"'
[[ $OUT =~ ^hlk_[A-Za-z0-9]{40}$ ]] && [ "$OUT" != "$KEY" ] || fail "no placeholder: $OUT"
: >"$C/log"
with 'curl -sS -H "'"$HEADER"': $HARBOUR_KEY" "${HARBOUR_URL%/v2}/v1/deploys"'
has "$OUT" wrong_path
with 'curl -sS -H "Authorization: Bearer $HARBOUR_KEY" "$HARBOUR_URL/deploys"'
has "$OUT" wrong_place
with 'curl -sS -H "'"$HEADER"': $HARBOUR_KEY" "${HARBOUR_URL%/'"$HOST"'*}/other.example/v2/deploys"; sleep 20'
[ $RC -ne 0 ] || fail "at another host the task went on: $OUT"
has "$ERR" alarm
with 'curl -sS --cacert ~/ca.pem -H "'"$HEADER"': $HARBOUR_KEY" "https://'"$HOST"'/v2/deploys"'
[ $RC -ne 0 ] || fail "past the broker: $OUT"
RUN=${RUN/auth-guard run /auth-guard run --no-isolate }
with 'curl -sS --cacert ~/ca.pem -H "'"$HEADER"': $HARBOUR_KEY" "https://'"$HOST"'/v2/deploys"'
has "$OUT" '"deploys": null'
! grep -qF "$KEY" "$C/log" || fail "the key went out: $(cat "$C/log")"
refused 'allows proxy' auth-guard run --env K=ag://harbourline/default -- true
audit_verifies
no_leak
