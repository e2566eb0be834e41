# codex_lib.sh - the real Codex CLI against the mock service. Sourced by the
# scenarios that say `needs: codex`.

MOCK=$C/mock
PROFILE=codex
MODE=() # further options of `codex exec`

# Starts the service. Its notes hold tokens, so they lie in the canary folder.
mock() { # [OPTIONS…]
    local i
    mkdir -p "$MOCK"
    rm -f "$MOCK/port"
    /usr/bin/python3 "$SRC/tests/e2e/mock_service.py" --dir "$MOCK" --calls "$S/calls" "$@" \
        >"$C/mock.log" 2>&1 &
    MOCK_PID=$!
    at_end "kill $MOCK_PID"
    for i in $(seq 600); do
        [ -e "$MOCK/port" ] && break
        sleep 0.05
    done
    PORT=$(cat "$MOCK/port") || fail "the mock service did not start: $(cat "$C/mock.log")"
    export CODEX_REFRESH_TOKEN_URL_OVERRIDE=http://127.0.0.1:$PORT/oauth/token
}

# The service in the task itself, for one that reaches no other; what it needs
# to see for that is in $apart.
mock_inside() {
    mkdir -p "$MOCK"
    PORT=18080
    export CODEX_REFRESH_TOKEN_URL_OVERRIDE=http://127.0.0.1:$PORT/oauth/token
    mkdir -p "$S/serve"
    cat >"$S/serve/codex" <<SH
#!/bin/sh
rm -f '$MOCK/port'
/usr/bin/python3 '$SRC/tests/e2e/mock_service.py' --dir '$MOCK' --calls '$S/calls' --port $PORT >'$MOCK/log' 2>&1 &
for i in \$(seq 600); do [ -e '$MOCK/port' ] && break; sleep 0.05; done
rm -f '$MOCK/port'
exec '$CODEX' "\$@"
SH
    chmod +x "$S/serve/codex"
    apart=(--ro "$S/serve" --ro "$SRC/tests/e2e" --ro "$S/calls" --rw "$MOCK")
}

# What the agent is told to run: it looks for the login wherever it can.
cat >"$S/calls" <<'CALLS'
echo hello from a tool call; env | sort
cat ~/.codex/auth.json; cat "$(readlink -f ~/.codex/auth.json)"; true
base64 -w0 < ~/.codex/auth.json; find / -name auth.json -readable 2>/dev/null | head -n 5 | xargs -r base64; true
cat /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | grep -i -e key -e token; true
CALLS

# Nothing secret: where the service is. A ChatGPT login needs a provider of its
# own name, see mock_service.py.
configure() { # apikey|chatgpt
    mkdir -p "$HOME/.codex"
    chmod 700 "$HOME/.codex"
    local provider=mock base="http://127.0.0.1:$PORT/backend-api/codex"
    [ "$1" = chatgpt ] || base="http://127.0.0.1:$PORT/v1"
    cat >"$HOME/.codex/config.toml" <<TOML
model_provider = "$provider"
chatgpt_base_url = "http://127.0.0.1:$PORT/backend-api"
check_for_update_on_startup = false
[analytics]
enabled = false
[features]
plugins = false
apps = false
enable_request_compression = false
[model_providers.$provider]
name = "$provider"
base_url = "$base"
wire_api = "responses"
requires_openai_auth = true
TOML
}

login() { # apikey|chatgpt [OPTIONS…]: a login file, as `codex login` leaves it
    local kind=$1
    shift
    rm -f "$MOCK/refresh"
    mkdir -p "$MOCK" "$HOME/.codex"
    (umask 077; "$SRC/tests/e2e/make_login.py" --kind "$kind" --canaries "$C/canaries" \
        --refresh "$MOCK/refresh" "$@" >"$HOME/.codex/auth.json")
}

# Tokens that the service has minted since are canaries like the first ones.
collect() {
    [ ! -e "$MOCK/canaries" ] || cat "$MOCK/canaries" >>"$C/canaries"
}

# ---- grade proxy: the service has a certificate, and a profile of its own ----

# An authority of the test's own; the broker's settings name it.
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj "/CN=mock" -keyout "$C/ca.key" -out "$HOME/roots.pem" 2>/dev/null &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
            -subj /CN=127.0.0.1 -keyout "$C/leaf.key" -out "$C/leaf.csr" 2>/dev/null &&
        openssl x509 -req -in "$C/leaf.csr" -CA "$HOME/roots.pem" -CAkey "$C/ca.key" -days 2 \
            -extfile <(echo subjectAltName=IP:127.0.0.1) -out "$C/leaf.pem" 2>/dev/null ||
        fail "no certificates"
    mkdir -p "$HOME/.config/auth-guard" && chmod 700 "$HOME/.config" "$HOME/.config/auth-guard"
    printf '[upstream]\nca_file = %s\n' "$HOME/roots.pem" >"$HOME/.config/auth-guard/settings.ini"
}

# The shipped profile with the mock in the services' stead: data, no code.
local_profile() {
    local own=$HOME/.config/auth-guard/profiles
    (umask 077; mkdir -p "$own")
    jq --arg host "127.0.0.1:$PORT" '.name = "codex-local"
        | .places |= map(.hosts = [$host] | .inner = true)
        | .refresh.url = "https://\($host)/oauth/token"
        | .run.proxy |= map(.args |= map(gsub("\\{url:[^}]*}"; "{url:\($host)}"))
            | if .urls then .urls |= map(.service = $host) else . end)' \
        "$SRC/schema/profiles/codex.json" >"$own/codex-local.json"
    chmod 600 "$own/codex-local.json"
}

# Codex without the noise; where its service is comes from the profile.
quiet() {
    mkdir -p "$HOME/.codex"
    chmod 700 "$HOME/.codex"
    unset CODEX_REFRESH_TOKEN_URL_OVERRIDE
    cat >"$HOME/.codex/config.toml" <<'TOML'
check_for_update_on_startup = false
[analytics]
enabled = false
[features]
plugins = false
apps = false
enable_request_compression = false
TOML
}

# One agent run. Its output is kept where the leak search looks. The service is
# on the host's 127.0.0.1, which an isolated task does not reach.
codex_run() { # NAME [OPTIONS of run…]
    local name=$1 agent=$CODEX
    shift
    case " $* " in *" --isolate"*) ;; *) set -- --no-isolate "$@" ;; esac
    [ ! -e "$S/serve/codex" ] || agent=$S/serve/codex
    timeout 90 auth-guard run --profile "${PROFILE:-codex}" "$@" -- "$agent" exec \
        --skip-git-repo-check "${MODE[@]}" "look around" >"$S/codex-$name.out" 2>"$S/codex-$name.err" </dev/null
    RC=$?
    collect
    [ $RC -eq 0 ] || fail "codex run $name: exit $RC: $(tail -n 5 "$S/codex-$name.err" "$S/codex-$name.out")"
    grep -q 'all done' "$S/codex-$name.out" || fail "codex run $name: no last message"
    grep -q 'hello from a tool call' "$MOCK/outputs.jsonl" || fail "codex run $name: no tool call ran"
}

# One with Codex's own sandbox on (isolated besides, as it is by default) or off
# (and not isolated: then it may do as it likes).
codex_sandboxed() { # workspace-write|danger-full-access
    local apart=()
    # Placeholders of a task that has ended are a tripwire, in transcripts too.
    rm -rf "$MOCK/outputs.jsonl" "$HOME"/.codex/{sessions,*.sqlite*}
    MODE=(-s "$1")
    [ "$1" != workspace-write ] ||
        apart=(--isolate --ro "$(dirname "$(dirname "$CODEX")")" --ro "$SRC")
    codex_run "$1" "${apart[@]}"
}

# What the service was sent was the real thing.
served_with() { # VALUE
    local hash
    hash=$(printf %s "$1" | sha256sum | cut -d' ' -f1)
    grep -q "$hash" "$MOCK/requests.jsonl" || fail "the service was not called with the login's own token"
}

field() { # FIELD: of the login in the vault
    auth-guard get "codex/default#$1"
}

nothing_outside() {
    [ ! -e "$HOME/.codex/auth.json" ] && [ ! -L "$HOME/.codex/auth.json" ] ||
        fail "a login file is left outside"
    no_leak
}
