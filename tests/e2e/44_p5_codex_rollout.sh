# P5 in a transcript of the real Codex CLI: a value in ten forms, and in the parts of a streamed
# answer; `redact --format jsonl` leaves valid JSON lines from which Codex goes on, without it.
# needs: codex
. "$SRC/tests/e2e/codex_lib.sh"
vault
VALUE=$(canary "q\"7\\R/t<&W'%")
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
(umask 077; printf %s "$VALUE" >"$C/value")
cat >"$C/forms.py" <<'PY'
import base64, html, json, shlex, sys, urllib.parse
v = open(sys.argv[1]).read()
b = v.encode()
line = b"user:" + b + b"@host"
forms = {
    "plain": v,
    "base64": base64.b64encode(b).decode(),
    "base64url": base64.urlsafe_b64encode(line).decode(),
    "basic": "Authorization: Basic " + base64.b64encode(b"bot:" + b).decode(),
    "hex": b.hex(),
    "percent": urllib.parse.quote(v, safe=""),
    "json": json.dumps({"a": {"token": v}}),
    "json in json": json.dumps({"o": json.dumps({"token": v})}),
    "xml": html.escape(v),
    "shell": shlex.quote(v),
    "base64 twice": base64.b64encode(base64.b64encode(b)).decode(),
}
for name, text in forms.items():
    print("form", name + ":", text)
PY
cat >"$S/calls" <<CALLS
echo hello from a tool call
/usr/bin/python3 '$C/forms.py' '$C/value'
printf '{"output":"%s","n":1}\n' "\$(base64 -w0 <'$C/value')"
CALLS
mock --say "all done" --parts "$C/value"
mkdir -p "$HOME/.codex" && (umask 077; echo '{"OPENAI_API_KEY":"sk-of-the-test"}' >"$HOME/.codex/auth.json")
configure apikey
: >"$MOCK/keep-requests"
agent() { # NAME [ARGS…]: Codex itself, without auth-guard: its files are what is looked at
    local name=$1
    shift
    timeout 90 "$CODEX" exec --json --skip-git-repo-check -s danger-full-access "$@" >"$C/$name.jsonl" 2>"$C/$name.err" </dev/null ||
        fail "codex $name: exit $?: $(tail -n 5 "$C/$name.err" "$C/$name.jsonl")"
}
rollout() { find "$HOME/.codex/sessions" -name 'rollout-*.jsonl'; }
holds() { # FILE: how many of the forms are in what its strings say
    /usr/bin/python3 - "$C/forms.py" "$C/value" "$1" <<'PY'
import json, runpy, sys, io, contextlib
out = io.StringIO()
sys.argv = sys.argv[1:]
with contextlib.redirect_stdout(out):
    runpy.run_path(sys.argv[0])
forms = [l.split(": ", 1)[1] for l in out.getvalue().splitlines()]
texts = []
def walk(x):
    if isinstance(x, str):
        texts.append(x)
        try:
            walk(json.loads(x))
        except ValueError:
            pass
    elif isinstance(x, dict):
        for k, v in x.items():
            walk(k), walk(v)
    elif isinstance(x, list):
        for v in x:
            walk(v)
for line in open(sys.argv[2]):
    walk(json.loads(line))
print(sum(any(f in t for t in texts) for f in forms))
PY
}

say "an agent that shows a value in every form"
agent first "look around"
R=$(rollout)
[ -f "$R" ] || fail "rollouts: $R"
[ "$(holds "$R")" -ge 10 ] || fail "only $(holds "$R") forms are in the rollout"
id=$(basename "$R" .jsonl)
id=${id#rollout-????-??-??T??-??-??-}

# FILE OUT: the same records, but for the value.
same_but() {
    jq -c . "$2" >/dev/null || fail "$2 is not JSON"
    [ "$(wc -l <"$1")" -eq "$(wc -l <"$2")" ] || fail "other records"
    cmp <(jq -c '[paths]' "$1") <(jq -c '[paths]' "$2") || fail "other members"
    cmp <(jq -c '[.. | .call_id?, .id?, .turn_id?, .timestamp?, .type?]' "$1") \
        <(jq -c '[.. | .call_id?, .id?, .turn_id?, .timestamp?, .type?]' "$2") || fail "other ids"
    [ "$(holds "$2")" -eq 0 ] || fail "$(holds "$2") forms are left"
    grep -q 'redacted:web/key' "$2" || fail "nothing was taken out"
}

say "redact --format jsonl: the same records without it"
ok auth-guard redact --format jsonl --report "$S/report" "$R"
cp "$C/out" "$S/redacted.jsonl"
same_but "$R" "$S/redacted.jsonl"
[ "$(jq '.streams[0].counts["web/key"]' "$S/report")" -ge 20 ] || fail "$(cat "$S/report")"
ok sh -c 'auth-guard redact --format jsonl <"$1"' sh "$C/first.jsonl"
cp "$C/out" "$S/exec.jsonl"
same_but "$C/first.jsonl" "$S/exec.jsonl"
# A record that nothing is in keeps its bytes.
[ "$(head -n 1 "$R")" = "$(head -n 1 "$S/redacted.jsonl")" ] || fail "the first record was written anew"

say "in place, by its name; Codex goes on from it"
cp "$R" "$C/rollout"
ok auth-guard redact --in-place "$HOME/.codex/sessions"
same_but "$C/rollout" "$R"
cmp "$R" "$S/redacted.jsonl" || fail "in place is another text"
rm -rf "$HOME"/.codex/*.sqlite* "$MOCK/bodies.jsonl"
agent resumed resume "$id" "go on"
head -n 1 "$MOCK/bodies.jsonl" >"$S/asked.jsonl"
[ "$(holds "$S/asked.jsonl")" -eq 0 ] || fail "Codex sent the value again"
[ "$(jq '[.. | strings | select(contains("redacted:web/key"))] | length' "$S/asked.jsonl")" -ge 2 ] ||
    fail "Codex did not go on from the redacted rollout"
rm -rf "$HOME/.codex"/*.sqlite* "$HOME/.codex/sessions"

say "Codex's own stream of parts: the app server"
cat >"$C/client.py" <<'PY'
import json, subprocess, sys
p = subprocess.Popen([sys.argv[1], "app-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
log = open(sys.argv[2], "w")
def ask(n, method, params):
    p.stdin.write(json.dumps({"id": n, "method": method, "params": params}) + "\n")
    p.stdin.flush()
    return until(lambda m: m.get("id") == n and "method" not in m)
def until(wanted):
    for line in p.stdout:
        log.write(line)
        m = json.loads(line)
        if wanted(m):
            return m
    sys.exit("the app server ended")
ask(1, "initialize", {"clientInfo": {"name": "e2e", "version": "1"}})
p.stdin.write('{"method":"initialized"}\n')
t = ask(2, "thread/start", {"approvalPolicy": "never", "sandbox": "danger-full-access"})
t = t["result"]["thread"]["id"]
ask(3, "turn/start", {"threadId": t, "input": [{"type": "text", "text": "look around"}]})
until(lambda m: m.get("method") == "turn/completed")
log.close()
p.stdin.close()
p.wait(30)
PY
timeout 90 /usr/bin/python3 "$C/client.py" "$CODEX" "$C/app.jsonl" 2>"$C/app.err" || fail "app server: $(tail -n 5 "$C/app.err")"
joined() { jq -j 'select(.method == "item/agentMessage/delta") | .params.delta' "$1"; }
[ "$(joined "$C/app.jsonl")" = "all done: $VALUE" ] || fail "the parts: $(joined "$C/app.jsonl")"
grep -qF "$(jq -Rn --arg v "$VALUE" '$v' | cut -c2-30)" <(grep agentMessage/delta "$C/app.jsonl") && fail "a part has it all"
ok auth-guard redact --format jsonl "$C/app.jsonl"
cp "$C/out" "$S/app.jsonl"
same_but "$C/app.jsonl" "$S/app.jsonl"
[ "$(joined "$S/app.jsonl")" = 'all done: [redacted:web/key]' ] || fail "the parts: $(joined "$S/app.jsonl")"

say "the service's events"
curl -sN -d '{"input":[{"type":"function_call_output"},{"type":"function_call_output"},{"type":"function_call_output"}]}' \
    "http://127.0.0.1:$PORT/v1/responses" >"$C/events" || fail curl
auth-guard redact --format sse <"$C/events" >"$S/events" || fail sse
parts() { sed -n 's/^data: //p' "$1" | jq -j 'select(.type == "response.output_text.delta") | .delta'; }
[ "$(parts "$C/events")" = "all done: $VALUE" ] || fail "events: $(cat "$C/events")"
[ "$(parts "$S/events")" = 'all done: [redacted:web/key]' ] || fail "events: $(cat "$S/events")"
[ "$(grep -c ^event: "$S/events")" -eq "$(grep -c ^event: "$C/events")" ] || fail "other events"
rm -f "$MOCK"/*.jsonl
rm -rf "$HOME/.codex/sessions" "$HOME"/.codex/*.sqlite*
no_leak
