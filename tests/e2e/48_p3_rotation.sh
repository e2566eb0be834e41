# P3: rotation by `random` and by a program on record. The broker killed, the
# program refusing, failing before and after its effect, answering garbage,
# hanging, at every act: a credential that works is there, nothing is left at
# the service, the journal says what happened.
# long: yes
# timeout: 2700
. "$SRC/tests/e2e/rotation_lib.sh"

# ---- rules and programs: what is refused ----
begin
refused 'no program' auth-guard rotate rule set --every 30d --rotator command --program svc svc/key
ok auth-guard rotate program add --limit 3s svc "$C/rotator"
refused 'operator' neighbour auth-guard rotate program add other "$C/rotator"
refused 'say one' auth-guard rotate rule set svc/key
refused 'say one' auth-guard rotate rule set --every 1d --cron '@daily' svc/key
refused 'minute is' auth-guard rotate rule set --cron '61 * * * *' svc/key
refused '4 fields where five' auth-guard rotate rule set --cron '0 3 * *' svc/key
refused 'no program nosuch' auth-guard rotate program remove nosuch
refused 'no such day' auth-guard rotate rule set --cron '0 0 30 2 *' svc/key
refused 'window' auth-guard rotate rule set --every 1d --window noon svc/key
refused 'rotator' auth-guard rotate rule set --every 1d --rotator magic svc/key
refused 'length' auth-guard rotate rule set --every 1d --length 3 svc/key
refused 'alphabet has no' auth-guard rotate rule set --every 1d --alphabet digits --require lower svc/key
refused 'no rule' auth-guard rotate svc/key
[ "$(auth-guard rotate --due --json | jq '.items | length')" -eq 0 ] || fail "something is due"

# ---- random ----
ok auth-guard rotate rule set --every 30d --length 40 --alphabet ascii --require lower --require upper --require digit --require symbol svc/key
before=$(current)
ok auth-guard rotate --dry-run svc/key
has "$OUT" 'prepare (vault), verify (vault), promote (vault), observe (vault), retire (vault)'
[ "$(current)" = "$before" ] || fail "a dry run changed something"
ok auth-guard rotate svc/key
after=$(current)
printf '%s\n' "$after" >>"$C/canaries"
[ ${#after} -eq 40 ] && [ "$after" != "$before" ] || fail "random: $after"
[[ $after =~ [a-z] && $after =~ [A-Z] && $after =~ [0-9] && $after =~ [^a-zA-Z0-9] ]] || fail "a class is missing"
printf 'x %s y\n' "$after" | auth-guard redact >"$C/out" 2>&1
grep -qF -- "$after" "$C/out" && fail "the new value is not redacted"
audit_has rotation.started random
audit_has rotation.ended done
say "random: made, in the redaction set, the old one destroyed"

# ---- a program is told ----
printf '#!/bin/sh\n{ echo "$#:$1"; cat; echo; cat <&3; cat <&4; } >%s\nexec cat %s.exit\n' "$C/told" "$C/told" >"$C/teller"
chmod 755 "$C/teller"
refused 'no program' auth-guard rotate rule set --every 30d --notify teller svc/key
ok auth-guard rotate program add --limit 3s teller "$C/teller"
ok auth-guard rotate rule set --every 30d --notify teller svc/key
refused '1 rule starts teller.*svc/key' auth-guard rotate program remove teller
ok auth-guard rotate --dry-run svc/key
[ ! -e "$C/told" ] || fail "a dry run told: $(cat "$C/told")"
: >"$C/told.exit"
ok auth-guard rotate --json svc/key
printf '%s\n' "$(current)" >>"$C/canaries"
[ "$(jq -r '.items[0].notify' <<<"$OUT")" = done ] || fail "told: $OUT"
[ "$(head -1 "$C/told")" = 1:notify ] && [ "$(wc -l <"$C/told")" -eq 2 ] || fail "told: $(cat "$C/told")"
[ "$(sed -n 2p "$C/told" | jq -r '"\(.event) \(.secret) \(.new_version - .old_version)"')" = 'rotated svc/key 1' ] || fail "told: $(cat "$C/told")"
rm "$C/told.exit"
ok auth-guard rotate --json svc/key
printf '%s\n' "$(current)" >>"$C/canaries"
[ "$(jq -r '.items[0] | "\(.result) \(.notify)"' <<<"$OUT")" = 'done failed' ] || fail "a program that fails: $OUT"
audit_has rotation.told exit_code
say "notify: told without a value; its failure changes nothing"

# A slow one holds no answer to a leak up, and what a crash cuts off is told again.
printf 'the-other-value' | ok auth-guard put svc/other
ok auth-guard rotate rule set --every 30d --on-leak rotate svc/other
ok auth-guard rotate program add --limit 30s teller "$C/teller"
rm "$C/told"; mkfifo "$C/told.exit"
auth-guard rotate svc/key >/dev/null 2>&1 &
slow=$!
within 3 grep -qs rotated "$C/told" || fail "nothing was told"
ok auth-guard leaked svc/other
answered() { auth-guard rotate log svc/other --json | jq -e '.rotations[0].state == "done"'; }
within 3 answered || fail "a slow program holds the answer to a leak up: $(auth-guard rotate log svc/other)"
kill -0 $slow || fail "the slow one is over"
kill -9 "$(broker_pid)"
wait $slow
rm "$C/told" "$C/told.exit"; : >"$C/told.exit"
start_broker
ok auth-guard rotate --due
printf '%s\n' "$(current)" >>"$C/canaries"
[ "$(sed -n 2p "$C/told" | jq -r '"\(.event) \(.secret)"')" = 'rotated svc/key' ] || fail "not told again: $(cat "$C/told")"
ok auth-guard audit verify
say "notify: no leak waits for a slow one; told again after a crash"

# A grace: the old one is kept and redacted until it is over and no task has it.
ok auth-guard rotate rule set --every 30d --grace 1s svc/key
old=$(current)
auth-guard run --no-isolate --env X=svc/key -- sleep 4 >"$C/task" 2>&1 &
task=$!
holds() { auth-guard exposure svc/key --json | jq -e '.exposure | map(select(.grade == "env")) | length > 0'; }
within 5 holds || fail "the task was given nothing: $(cat "$C/task")"
ok auth-guard rotate --json svc/key
[ "$(jq -r '.items[0].result' <<<"$OUT")" = rotated ] || fail "grace: $OUT"
printf '%s\n' "$(current)" >>"$C/canaries"
printf '%s\n' "$old" | auth-guard redact 2>/dev/null | grep -qF -- "$old" && fail "the retained one is not redacted"
api admin POST /v1/secrets/svc%2Fkey/versions "{\"destroy\":$(auth-guard rotate log svc/key --json | jq '.rotations[0].old_version')}"
[ "$STATUS" = 409 ] || fail "a version of a rotation was destroyed: $STATUS $OUT"
sleep 1.2
ok auth-guard rotate --due --json
[ "$(jq -r '.items[0].waits_for' <<<"$OUT")" = tasks ] || fail "a task holds it: $OUT"
wait $task
ok auth-guard rotate --json svc/key
[ "$(jq -r '.items[0].result' <<<"$OUT")" = done ] || fail "the task is gone: $OUT"
say "observe: the old version waits for grace and for the tasks that hold it"

# The person goes back while it is observed: the new one goes.
old=$(current)
ok auth-guard rotate svc/key
printf '%s\n' "$(current)" >>"$C/canaries"
number=$(auth-guard rotate log svc/key --json | jq -r '.rotations[0].old_version')
ok auth-guard rollback svc/key "$number"
run auth-guard rotate svc/key
[ $RC -eq 3 ] || fail "rolled back: exit $RC $OUT $ERR"
[ "$(state)" = undone ] && [ "$(current)" = "$old" ] || fail "rolled back: $(state)"
say "rolled back by hand while observed: undone, exit 3"

# ---- command: every fault at every act, in two kinds ----
for kind in generate service; do
    more=
    [ $kind = service ] || more=--generate
    ok auth-guard rotate rule set --every 30d --rotator command --program svc $more svc/key
    begin
    : >"$calls"
    ok auth-guard rotate svc/key
    [ "$(cut -d' ' -f1 "$calls" | xargs)" = 'prepare verify retire' ] || fail "$kind: $(cat "$calls")"
    what=$kind
    [ "$(state)" = done ] && [ "$(wc -l <"$service")" -eq 1 ] || fail "$kind: $(state) $(cat "$service")"
    works "$(current)" || fail "$kind: the new one does not work"
    note_values
    grep -qF -f "$C/canaries" "$calls.environ" "$calls.argv" && fail "a value in the environment or arguments"
    [ "$(cut -d= -f1 "$calls.environ" | grep -vxE 'PATH|LC_ALL|HOME|PWD|SHLVL|_' | wc -l)" -eq 0 ] || fail "environment: $(cat "$calls.environ")"
    for act in prepare verify retire undo; do
        for fault in kill exit hang garbage flood refused later silent; do
            for when in before after; do
                # An answer that says no after the effect is a lie; the others are lost.
                [ $when = before ] || case $fault in refused | later) continue ;; esac
                what="$kind, $act: ${fault}_$when"
                begin
                if [ $act = undo ]; then
                    # It takes a verify that fails to get there.
                    printf 'verify refused_before\n' >"$mode"
                    printf 'undo %s\n' "${fault}_$when" >"$mode.next"
                else
                    printf '%s %s\n' "$act" "${fault}_$when" >"$mode"
                fi
                run timeout 30 auth-guard rotate svc/key
                rc=$RC
                case $fault in
                kill)
                    within 5 broker_gone || fail "$what: the broker lives"
                    start_broker
                    broker_pid >"$service.broker" ;;
                *) [ $rc -eq 0 ] || [ $rc -eq 3 ] || fail "$what: exit $rc $OUT $ERR" ;;
                esac
                rm -f "$mode" "$mode.next"
                settled
                tried=$((tried + 1))
            done
        done
    done
done
say "command: $tried faults of the program and deaths of the broker"

# Three failures in a row at the service: a person is called, exit 4.
begin
for i in 1 2 3; do
    printf 'retire exit_before\n' >"$mode"
    run auth-guard rotate svc/key
done
[ $RC -eq 4 ] || fail "three failures: exit $RC $OUT $ERR"
has "$OUT" needs_person
what='after a person was called'
settled
# A program that changed is not started.
begin
printf '# changed\n' >>"$C/rotator"
run auth-guard rotate svc/key
[ $RC -eq 3 ] || fail "a changed program: exit $RC $OUT $ERR"
has "$OUT" program_changed
ok auth-guard rotate program add --limit 3s svc "$C/rotator"
what='after the program was added again'
settled
say "a person is called after three failures; a changed program is not started"

# ---- due: missed intervals, two runs at once, a service's token ----
ok auth-guard role create cron rotator
AGT=$OUT
printf '%s\n' "$AGT" >>"$C/canaries"
begin
ok auth-guard rotate rule set --every 1s --rotator command --program svc svc/key
: >"$calls"
# The machine was off for three intervals.
ok auth-guard stop
within 5 broker_gone
sleep 3.2
start_broker
broker_pid >"$service.broker"
neighbour env AUTH_GUARD_TOKEN="$AGT" auth-guard rotate --due >"$C/one" 2>&1 &
one=$!
neighbour env AUTH_GUARD_TOKEN="$AGT" auth-guard rotate --due >"$C/two" 2>&1 &
two=$!
wait $one || fail "run one: $(cat "$C/one")"
wait $two || fail "run two: $(cat "$C/two")"
ok auth-guard rotate rule set --every 30d --rotator command --program svc svc/key
[ "$(grep -c prepare "$calls")" -le 2 ] || fail "two runs rotated $(grep -c prepare "$calls") times"
note_values
refused 'may not do that' neighbour env AUTH_GUARD_TOKEN="$AGT" auth-guard get svc/key
refused 'may not do that' neighbour env AUTH_GUARD_TOKEN="$AGT" auth-guard rotate rule list
say "a rotator's token runs what is due; two runs at once rotate once"

say "points tried: $tried"
audit_verifies
no_leak
