# P6: what a profile says about grade proxy is enough for a tool nobody ships:
# its file has placeholders, its address is the broker's. A worse grade is the
# operator's word and on the ledger. A login that the tool makes by itself goes
# to the vault and out of the file, and is used when the person says so;
# placeholders never replace a value.
. "$SRC/tests/e2e/lib.sh"
python3 "$SRC/tests/e2e/proxy_service.py" "$C/service.log" "$C/service.port" >"$C/service.out" 2>&1 &
at_end "kill $!"
within 10 test -s "$C/service.port" || fail "the service does not start"
HOST=127.0.0.1:$(cat "$C/service.port")
saw() { grep -qF -- "$1" "$C/service.log" || fail "the service was not sent: $1"; }

own=$HOME/.config/auth-guard/profiles
(umask 077; mkdir -p "$own")
chmod 700 "$HOME/.config" "$HOME/.config/auth-guard"
printf '[operator]\nproof = 1s\n' >"$HOME/.config/auth-guard/settings.ini"
cat >"$own/mytool.json" <<JSON
{"profile": 1, "name": "mytool", "title": "My tool", "kind": "login", "secret": "mytool/default",
 "single_holder": true,
 "files": [{"path": "~/.mytool/login.json", "format": "json", "secrets": ["/access", "/refresh"],
   "rewrite": "rename", "deliver": {"by": "link"}}],
 "run": {"commands": ["mytool"], "args": ["--by-file"],
   "proxy": [{"needs": ["/access"], "file": true, "args": ["--at={url:$HOST}/v1"],
     "urls": [{"var": "MYTOOL_URL", "service": "$HOST", "path": "/v1"}]}]},
 "places": [{"hosts": ["$HOST"], "paths": ["/v1/*"], "field": "/access", "in": "header",
   "name": "Authorization", "format": "Bearer {}", "inner": true, "plain": true}],
 "conflict": {"rule": "newest", "field": "/at"}}
JSON
chmod 600 "$own/mytool.json"
cat >"$HOME/work/mytool" <<'T'
#!/bin/sh
file=$HOME/.mytool/login.json
key() { jq -r .access "$file"; }
call() { curl -sS -m 20 -H "Authorization: Bearer $(key)" "$1/$2"; }
renew() { (umask 077; printf '{"access":"%s","refresh":"%s","at":"%s"}\n' "$1" "$2" "$3"); }
# Until what stands there is no value any more.
until_gone() { for i in $(seq 100); do grep -qF -- "$1" "$file" || return 0; sleep 0.1; done; return 1; }
echo "arguments: $1"
cat "$file"
[ "$1" != --by-file ] || exit 0
case ${2-} in
login)
    renew "$(cat "$HOME/work/new-access")" "$(cat "$HOME/work/new-refresh")" 2026-05-05T00:00:00Z >"$file.new"
    [ "${3-}" = rename ] && mv "$file.new" "$(readlink -f "$file")" || cat "$file.new" >"$(readlink -f "$file")"
    rm -f "$file.new" "$HOME/work/new-access" "$HOME/work/new-refresh"
    until_gone "$(jq -r .access "$file" | grep '^mine' || echo never)" || echo "A VALUE STAYS"
    grep -q '"mine' "$file" && echo "A VALUE STAYS"
    ls -A "$(dirname "$(readlink -f "$file")")"
    ;;
slip)
    cp "$file" before
    renew "$(cat new-access)" "$(cat new-refresh)" 2029-09-09T00:00:00Z >"$file"
    until_gone '"mineA-task' || echo "A VALUE STAYS"
    cat before >"$file"
    rm before new-access new-refresh
    sleep 1
    ;;
back)
    jq -c '.at = "2027-07-07T00:00:00Z"' "$file" >"$HOME/work/again" && cat "$HOME/work/again" >"$(readlink -f "$file")"
    ;;
worse)
    # A field of which there is no placeholder, or none that the way needs: the
    # next task would be given the file.
    jq -c ".at = \"2028-08-08T00:00:00Z\" | $3" "$file" >"$HOME/work/again" && cat "$HOME/work/again" >"$(readlink -f "$file")"
    sleep 1
    ;;
swap)
    jq -c '.refresh = .access' "$file" >"$HOME/work/again" && cat "$HOME/work/again" >"$(readlink -f "$file")"
    ;;
esac
call "$MYTOOL_URL" by-variable
call "${1#--at=}" by-argument
call "${MYTOOL_URL%/v1}" elsewhere
T
chmod 755 "$HOME/work/mytool"
vault
ok auth-guard profiles --trust mytool
A=$(canary mineA-) R=$(canary mineR-)
mkdir -m 700 "$HOME/.mytool"
(umask 077; printf '{"access":"%s","refresh":"%s","at":"2026-01-01T00:00:00Z"}\n' "$A" "$R" >"$HOME/.mytool/login.json")
ok auth-guard adopt --profile mytool "$HOME/.mytool/login.json"
login() { auth-guard get "mytool/default#$1"; }
version() { auth-guard versions mytool/default --json | jq '[.versions[].version] | max'; }

say "nothing but the profile: at grade proxy"
ok auth-guard run --profile mytool -- "$HOME/work/mytool"
has "$OUT" "arguments: --at=http://127.0.0.1:"
hasnt "$OUT" "$A" "the task's output"
hasnt "$OUT" '"access":"[redacted' "the task's file: it held the value"
has "$OUT" /v1/by-variable
has "$OUT" /v1/by-argument
has "$OUT" wrong_path
saw "Bearer $A"
audit_has value.delivered '"grade":"proxy"' mytool/default
hasnt "$(auth-guard exposure mytool/default)" file "the ledger"
no_leak

say "shipped profiles: an address of the broker, and a placeholder"
given() { # PROFILE KEY-VAR URL-VAR WANTED-URL VALUE: what the task sees
    ok auth-guard run --profile "$1" -- sh -c "echo key \$$2; echo url \$$3"
    hasnt "$OUT" '[redacted' "a placeholder's place: $1"
    grep -qE "^url http://127\.0\.0\.1:[0-9]+/t/[0-9]+/$4\$" <<<"$OUT" || fail "$1: $OUT"
    local key
    key=$(sed -n 's/^key //p' <<<"$OUT")
    [ ${#key} -eq ${#5} ] && [ "${key:0:7}" = "${5:0:7}" ] && [ "$key" != "$5" ] || fail "$1: not like the value: $key"
}
OPENAI=$(canary sk-proj-)
printf %s "$OPENAI" | auth-guard put openai/default --profile openai >"$C/out" || fail put
given openai OPENAI_API_KEY OPENAI_BASE_URL api.openai.com/v1 "$OPENAI"
ANTHROPIC=$(canary sk-ant-api03-)
printf %s "$ANTHROPIC" | auth-guard put anthropic/default --profile anthropic >"$C/out" || fail put
given anthropic ANTHROPIC_API_KEY ANTHROPIC_BASE_URL api.anthropic.com "$ANTHROPIC"
CLAUDE=$(canary sk-ant-oat01-)
mkdir -m 700 "$HOME/.claude"
(umask 077; printf '{"claudeAiOauth":{"accessToken":"%s","refreshToken":"%s","expiresAt":4102444800000}}\n' \
    "$CLAUDE" "$(canary sk-ant-ort01-)" >"$HOME/.claude/.credentials.json")
ok auth-guard adopt --profile claude "$HOME/.claude/.credentials.json"
given claude CLAUDE_CODE_OAUTH_TOKEN ANTHROPIC_BASE_URL api.anthropic.com "$CLAUDE"
# A key made with the login would outlive it, and the task.
ok auth-guard run --profile claude -- sh -c 'curl -sS -m 20 -X POST -H "Authorization: Bearer $CLAUDE_CODE_OAUTH_TOKEN" "$ANTHROPIC_BASE_URL/api/oauth/claude_cli/create_api_key"'
has "$OUT" wrong_path

say "a worse grade is the operator's word, and on the ledger"
sleep 1.2
refused 'passphrase|proof' env -u AUTH_GUARD_PASSPHRASE_FILE auth-guard run --profile mytool --grade file -- true
printf %s "$OPENAI" | auth-guard put openai/low --profile openai --min-grade env >"$C/out" || fail put
sleep 1.2
# Past the profile, the same word.
for past in "--file $TREE/f=ag://mytool/default" '--grant mytool/default:file' '--env V=ag://openai/low' \
    '--grant openai/*:read'; do
    # shellcheck disable=SC2086
    set -f
    refused 'passphrase|proof' env -u AUTH_GUARD_PASSPHRASE_FILE auth-guard run $past -- true
    set +f
done
# By a pattern, for what it matches then; not what comes later.
(
    until [ -e "$HOME/work/asked" ]; do sleep 0.1; done
    printf %s "$OPENAI" | auth-guard put openai/later --profile openai --min-grade env && touch "$HOME/work/there"
) >"$C/later" 2>&1 &
run auth-guard run --grant 'openai/*:read' -- sh -c '
    call() { curl -sS -m 20 --unix-socket "$AUTH_GUARD_SOCKET" -H "Authorization: Bearer $AUTH_GUARD_TOKEN" \
        "http://localhost/v1/secrets/openai%2F$1/value"; echo; }
    call low; touch asked
    until [ -e there ]; do sleep 0.1; done
    call later'
has "$OUT" '[redacted:openai/'
has "$OUT" '"code":"grade_refused"'
[ "$(grep -c '\[redacted' <<<"$OUT")" -eq 1 ] || fail "what came later was read: $OUT"
ok auth-guard rm --yes openai/later
ok env -u AUTH_GUARD_PASSPHRASE_FILE auth-guard run --profile mytool -- true
sleep 1.2
ok auth-guard run --env 'V=ag://openai/low' -- true
has "$(auth-guard exposure openai/low --json)" '"instead_of":"proxy"'
sleep 1.2
ok auth-guard run --profile mytool --grade file -- "$HOME/work/mytool"
has "$OUT" "arguments: --by-file"
has "$OUT" '[redacted:mytool/default'
has "$(auth-guard exposure mytool/default --json)" '"instead_of":"proxy"'
audit_has task.started '"downgraded":{"mytool/default":"proxy"}'
refused 'none of proxy' auth-guard run --profile mytool --grade best-of-all -- true
refused 'for --profile' auth-guard run --grade file -- true
refused 'grade sign' auth-guard run --profile mytool --grade sign -- true

say "a dry run says what would be given, and starts nothing"
sleep 1.2
before=$(auth-guard audit tail --json | jq .last)
dry() { ok env -u AUTH_GUARD_PASSPHRASE_FILE auth-guard run --dry-run "$@" -- touch "$HOME/work/ran"; }
dry --profile mytool --keep-home "$HOME/kept" --allow example.org
has "$OUT" 'mytool/default, version 1, at grade proxy: a placeholder in file'
has "$OUT" "mytool/default to $HOST, /v1/*, in header Authorization, inside, by http"
has "$OUT" 'example.org, registry.npmjs.org'
has "$OUT" 'workspace: network broker, home kept'
has "$OUT" "writes to   $TREE"
hasnt "$OUT" passphrase "a dry run that costs none"
dry --profile mytool --grade file --no-isolate
has "$OUT" 'at grade file instead of proxy: the value in file'
has "$OUT" 'costs       the passphrase'
has "$OUT" 'isolation   none, on purpose'
dry --json --grant 'openai/*:read' --env V=ag://openai/low
[ "$(jq -c '[.passphrase, .values[0].instead_of, .grants[1].secret]' <<<"$OUT")" = '[true,"proxy","openai/*"]' ] || fail "$OUT"
refused 'not in the vault' auth-guard run --dry-run --env V=ag://no/such -- true
[ ! -e "$HOME/work/ran" ] && [ ! -e "$HOME/kept" ] || fail "something was started or made"
[ "$(auth-guard audit tail --json | jq .last)" = "$before" ] || fail "a dry run is on the record"
neighbour auth-guard run --dry-run --env V=ag://openai/low -- true >"$C/out" 2>&1 && fail "a neighbour may ask what a task would get"

say "placeholders that come back change nothing"
before=$(version)
ok auth-guard run --profile mytool -- "$HOME/work/mytool" back
ok auth-guard run --profile mytool -- "$HOME/work/mytool" swap
has "$ERR" 'where it is not for'
[ "$(version)" = "$before" ] || fail "a version was made of placeholders"
[ "$(login /access)" = "$A" ] && [ "$(login /refresh)" = "$R" ] || fail "the login changed"

say "a login can't be written so that the next task is given the file"
for how in '.access = "{\"a\":\"https://x:\(.access)@h\"}" | .more = "x"' '.access = "own-\(.at)-own-own-own-own" | .refresh = "short"' \
    '.access = ""'; do
    run auth-guard run --profile mytool -- "$HOME/work/mytool" worse "$how"
    [ "$(login /access)" = "$A" ] && [ "$(login /refresh)" = "$R" ] || fail "became current: $how: $ERR"
    ok auth-guard run --profile mytool -- "$HOME/work/mytool"
    has "$OUT" "arguments: --at="
    hasnt "$(cat "$C/out")" '[redacted:mytool/default' "the next task's file"
done

say "nor so that the person works by a login of somebody else's"
# Whole, newer, of the same account; then the placeholders once more, as if
# nothing had been.
NA=$(canary mineA-task) NR=$(canary mineR-task)
printf %s "$NA" >"$HOME/work/new-access"
printf %s "$NR" >"$HOME/work/new-refresh"
ok auth-guard run --profile mytool -- "$HOME/work/mytool" slip
hasnt "$OUT" 'A VALUE STAYS' "the file"
[ "$(login /access)" = "$A" ] && [ "$(login /refresh)" = "$R" ] || fail "became current: $ERR"
has "$ERR" 'the task wrote a login of its own into login.json'
has "$ERR" "auth-guard rollback mytool/default $(version)"
audit_has version.writeback '"outcome":"retained: made by the task"'
printf %s "$NA$NR" | auth-guard redact >"$C/out" || fail redact
hasnt "$(cat "$C/out")" "$NA" "what is filtered"
: >"$C/service.log"
ok auth-guard run --profile mytool -- "$HOME/work/mytool"
saw "Bearer $A"
no_leak

for how in rename in-place; do
    say "a login by the tool itself ($how) waits for the person, and placeholders replace it"
    NA=$(canary mineA-$how-) NR=$(canary mineR-$how-)
    printf %s "$NA" >"$HOME/work/new-access"
    printf %s "$NR" >"$HOME/work/new-refresh"
    : >"$C/service.log"
    ok auth-guard run --profile mytool -- "$HOME/work/mytool" login $how
    hasnt "$OUT" 'A VALUE STAYS' "the file"
    hasnt "$OUT" auth-guard-placeholders "the directory"
    hasnt "$OUT" "$NA" "the task's output"
    saw "Bearer $A"
    accept=$(grep -o 'auth-guard rollback mytool/default [0-9]*' <<<"$ERR") || fail "not told: $ERR"
    # shellcheck disable=SC2086
    ok $accept
    [ "$(login /access)" = "$NA" ] && [ "$(login /refresh)" = "$NR" ] || fail "the new login is not in the vault: $ERR"
    ok auth-guard run --profile mytool -- "$HOME/work/mytool"
    saw "Bearer $NA"
    no_leak
    A=$NA
done
audit_verifies
