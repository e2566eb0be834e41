# P3, P5, P6: a leak is seen, said, answered: recorded, kept on hold, or rotated at
# once, whatever dies meanwhile. A task learns nothing of it.
# timeout: 300
. "$SRC/tests/e2e/rotation_lib.sh"
incidents() { auth-guard incident list --json; }
newest() { incidents | jq -r ".incidents[0].$1"; }
count() { auth-guard incident list --all --json | jq '.incidents | length'; }
answered() { [ "$(newest answer)" = "$1" ]; }
spill() { auth-guard run --no-isolate --env X="$1" -- sh -c 'printf %s "$X" | base64 -w0; echo'; }

# ---- recorded, which is the default ----
begin
ok auth-guard rotate program add --limit 3s svc "$C/rotator"
ok auth-guard rotate rule set --every 30d --grace 1h --rotator command --program svc svc/key
ok spill svc/key
has "$OUT" '[redacted'
[ "$(newest secret)-$(newest source)-$(newest answer)" = svc/key-output-record ] || fail "$(incidents)"
id=$(newest incident) task=$(newest task)
ok spill svc/key
[ "$(count)" -eq 1 ] && [ "$(newest seen)" -eq 2 ] || fail "a flood: $(incidents)"
audit_has incident.opened svc/key base64
audit_has incident.seen_again
ok auth-guard incident show "$id" --json
[ "$(jq -r '[.readers[] | select(.grade == "env") | .task] | unique | length' <<<"$OUT")" -eq 2 ] || fail "readers: $OUT"
[ "$(jq -r '.seen_at[0] | "\(.where) \(.what) \(.task)"' <<<"$OUT")" = "output base64 $task" ] || fail "where: $OUT"
ok auth-guard incident show "$id"
has "$OUT" 'to rotate'
ok auth-guard exposure --task "$task" --json
[ "$(jq -r '.rotate[0] | "\(.secret) \(.version) \(.grade) \(.has_rule) \(.leaked)"' <<<"$OUT")" = 'svc/key 1 read true true' ] || fail "$OUT"
ok auth-guard status --json
[ "$(jq .counts.open_incidents <<<"$OUT")" -eq 1 ] || fail "status: $OUT"
ok auth-guard doctor --json
[ "$(jq -r 'map(select(.check == "secret"))[0] | "\(.secret) \(.found)"' <<<"$OUT")" = 'svc/key incident, exposed, shared, weak_grade, never_rotated' ] ||
    [ "$(jq -r 'map(select(.check == "secret"))[0] | "\(.secret) \(.found)"' <<<"$OUT")" = 'svc/key incident, exposed, shared, weak_grade' ] || fail "doctor: $OUT"
old=$(current)
ok auth-guard rotate --from-incident "$id"
note_values
works "$old" && fail "the old one works"
works "$(current)" || fail "the new one does not work"
answered done || fail "answer: $(incidents)"
say "recorded: one incident for two sightings, named by exposure, rotated from it"

# What a person has redacted is no incident; nor is a part of a value acted on.
before=$(count)
printf 'x %s y\n' "$(current)" | auth-guard redact >/dev/null 2>&1
[ "$(count)" -eq "$before" ] || fail "redact opened an incident"
ok auth-guard incident close --note 'rotated' "$id"
refused 'closed already' auth-guard incident close "$id"
audit_has incident.closed rotated
[ "$(incidents | jq '.incidents | length')" -eq 0 ] || fail "it is listed still"

# ---- hold: without any rule of rotation ----
held=$(canary hold-)
printf %s "$held" | auth-guard put svc/held >/dev/null 2>&1 || fail put
refused 'no rule of rotation' auth-guard rotate rule set --on-leak rotate svc/held
refused 'record, hold or rotate' auth-guard rotate rule set --on-leak burn svc/held
ok auth-guard rotate rule set --on-leak hold svc/held
[ "$(auth-guard list --json | jq -r '.secrets[] | select(.name == "svc/held") | .on_leak')" = hold ] || fail "list: $(auth-guard list --json)"
auth-guard list | grep -q 'svc/held .* hold ' || fail "list: $(auth-guard list)"
[ "$(auth-guard rotate rule show --json svc/key | jq -r .on_leak)" = record ] || fail "rule show: $(auth-guard rotate rule show --json svc/key)"
auth-guard rotate rule show svc/key | grep -q 'on_leak.*record' || fail "rule show: $(auth-guard rotate rule show svc/key)"
auth-guard rotate rule list | grep -q 'svc/key .* record' || fail "rule list: $(auth-guard rotate rule list)"
mkfifo "$C/go"
auth-guard run --no-isolate --grant svc/held:read -- sh -c 'auth-guard get svc/held >/dev/null && echo had; read -r x <'"$C/go"'; auth-guard get svc/held; echo exit $?; auth-guard incident list; auth-guard leaked svc/held' >"$C/held" 2>&1 &
reader=$!
within 10 grep -q had "$C/held" || fail "a task's first reading: $(cat "$C/held")"
ok auth-guard leaked --note 'in a chat' svc/held
[ "$(newest answer)" = hold ] || fail "hold: $(incidents)"
refused 'on hold' auth-guard run --no-isolate --env X=svc/held -- true
echo >"$C/go"
wait $reader
has "$(cat "$C/held")" 'exit 77'
hasnt "$(cat "$C/held")" "$held"
[ "$(grep -c 'operator' "$C/held")" -ge 2 ] || fail "a task may ask about incidents: $(cat "$C/held")"
[ "$(auth-guard get svc/held)" = "$held" ] || fail "the operator's own reading is refused"
ok auth-guard incident close "$(newest incident)"
ok auth-guard run --no-isolate --env X=svc/held -- true
say "hold: no new task, no further reading, until it is closed"

# ---- what a task made up holds nothing, whoever prints it ----
login=$(canary sk-proj-) phrase='every one of the tests has passed'
mkdir -p "$HOME/.codex"
printf '{"OPENAI_API_KEY":"%s"}\n' "$login" >"$HOME/.codex/auth.json"
ok auth-guard adopt --profile codex "$HOME/.codex/auth.json"
ok auth-guard rotate rule set --on-leak hold codex/default
P=$phrase ok auth-guard run --profile codex --grade file --no-isolate -- sh -c 'd=$(dirname "$(readlink -f ~/.codex/auth.json)"); umask 077
    printf "{\"OPENAI_API_KEY\":\"%s\"}\n" "$P" >"$d/.auth-1"; mv "$d/.auth-1" "$d/auth.json"; sleep 0.2'
ok auth-guard versions codex/default --json
[ "$(jq -r '[.versions[] | "\(.version) \(.made_by)"] | join(", ")' <<<"$OUT")" = '2 task, 1 operator' ] || fail "made by: $OUT"
ok auth-guard run --no-isolate -- echo "So $phrase."
has "$OUT" '[redacted'
[ "$(newest secret)-$(newest version)-$(newest answer)" = codex/default-2-record ] || fail "made up: $(incidents)"
L=$login ok auth-guard run --no-isolate -- sh -c 'printf %s "$L" | base64 -w0'
[ "$(newest version)-$(newest answer)" = 1-hold ] || fail "the person's: $(incidents)"
ok auth-guard incident close "$(newest incident)"
ok auth-guard incident close "$(newest incident)"
say "what a task wrote back is recorded, and holds nothing"

# ---- rotate, while the task runs that leaked it ----
begin
ok auth-guard rotate rule set --every 30d --grace 1h --rotator command --program svc --on-leak rotate svc/key
dead() { ! works "$old"; }
tried=0
for point in 'prepare none' 'prepare kill_before' 'retire kill_after' 'retire exit_before'; do
    act=${point% *} fault=${point#* }
    begin
    old=$(current)
    [ $fault = none ] || printf '%s\n' "$point" >"$mode"
    auth-guard run --no-isolate --env X=svc/key -- sh -c 'printf %s "$X" | base64 -w0; echo; sleep 3' >"$C/leaky" 2>&1 &
    leaky=$!
    case $fault in
    kill*)
        within 10 broker_gone || fail "$point: the broker lives"
        wait $leaky
        start_broker
        broker_pid >"$service.broker" ;;
    esac
    begun=$(date +%s%N)
    within 20 dead || fail "$point: the old one works: $(auth-guard incident list --json) $(auth-guard rotate log svc/key --json)"
    took=$((($(date +%s%N) - begun) / 1000000))
    [ $fault != none ] || [ $took -lt 5000 ] || fail "it took $took ms"
    [ $fault != none ] || say "the old one was dead after $took ms, the task still running"
    within 20 answered done || fail "$point: $(incidents)"
    works "$(current)" || fail "$point: the current one does not work"
    [ "$(wc -l <"$service")" -eq 1 ] || fail "$point: $(wc -l <"$service") at the service"
    note_values
    wait $leaky
    hasnt "$(cat "$C/leaky")" "$(printf %s "$old" | base64 -w0)"
    ok auth-guard incident close "$(newest incident)"
    tried=$((tried + 1))
done
audit_has incident.answered done
say "rotated at once: points tried: $tried"

# ---- said by a report, by a receipt ----
begin
ok auth-guard rotate rule set --on-leak record svc/key
printf 'x %s y\n' "$(current)" >"$C/text"
ok auth-guard redact --report "$C/report" "$C/text"
ok auth-guard leaked --from "$C/report" --json
[ "$(jq -r '.incidents[0] | "\(.secret) \(.new)"' <<<"$OUT")" = 'svc/key true' ] || fail "report: $OUT"
ok auth-guard redact --receipt "$C/receipt" --receipt-names hashed "$C/text"
print=$(jq -r '.payload' "$C/receipt" | base64 -d | grep -o '~[0-9a-f]*' | head -n 1)
[ -n "$print" ] || fail "no fingerprint: $(cat "$C/receipt")"
ok auth-guard leaked --from "$C/receipt" --fingerprint "$print" --json
[ "$(jq -r '.incidents[0] | "\(.secret) \(.new)"' <<<"$OUT")" = 'svc/key false' ] || fail "receipt: $OUT"
run auth-guard redact --in-place --dry-run --report "$C/report" "$C/text"
ok auth-guard leaked --from "$C/report" --json
[ "$(jq -r '.incidents | map(.secret) | join(" ")' <<<"$OUT")" = svc/key ] || fail "report of files: $OUT"
mkdir "$C/texts"
cp "$C/text" "$C/texts/notes.txt"
auth-guard scan --texts --json "$C/texts" >"$C/report" 2>/dev/null
ok auth-guard leaked --from - --json <"$C/report"
[ "$(jq -r '.incidents | map(.secret) | join(" ")' <<<"$OUT")" = svc/key ] || fail "scan: $OUT"
refused 'no secret of that fingerprint' auth-guard leaked --from "$C/receipt" --fingerprint '~00'
refused 'neither' auth-guard leaked --from "$C/text"
refused 'not in the vault' auth-guard leaked svc/none
refused 'no version 99' auth-guard leaked --version 99 svc/key
refused 'say one' auth-guard leaked
refused 'no incident' auth-guard incident show 4711
refused 'operator' neighbour auth-guard leaked svc/key
refused 'operator' neighbour auth-guard incident list
say "said: by name, by a report, by a receipt's fingerprint"
audit_verifies
no_leak
