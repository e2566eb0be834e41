# P5, while transcripts are written: watch transcripts takes values out of files and databases
# as soon as their writers have closed them, waits while the vault is locked, loses nothing
# that is written meanwhile, and ends on SIGTERM.
# timeout: 600
vault
VALUE=$(canary sk-live-)
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
T=$HOME/.codex/sessions
mkdir -p "$T" "$HOME/.claude/projects/p"
clean() { ! grep -aqF "$VALUE" "$@" && grep -aqF '[redacted:web/key]' "$1"; }
# Who opens a file has right of way: one that is looked at all the time stays as it is.
slowly() { # COMMAND…: within 40 seconds
    local i
    for i in $(seq 40); do
        sleep 1
        "$@" && return 0
    done
    return 1
}
watching() { # [OPTIONS…]: starts it
    : >"$C/watch.out"
    : >"$C/watch.err"
    auth-guard watch transcripts "$@" >"$C/watch.out" 2>"$C/watch.err" &
    WATCH=$!
    at_end "kill $WATCH 2>/dev/null"
}
ended() { # CODE: asked to, it ends
    kill -TERM $WATCH
    wait $WATCH
    rc=$?
    [ $rc -eq "$1" ] || fail "exit $rc: $(cat "$C/watch.err")"
    find "$HOME" -name '.ag-inplace-*' | grep . && fail "something is left"
    return 0
}

say "what was there, what comes, in directories that come, of the tools' own places"
printf 'first %s\n' "$VALUE" >"$T/old.jsonl"
printf 'first %s\n' "$VALUE" >"$HOME/.claude/projects/p/s.jsonl"
printf 'key = "%s"\n' "$VALUE" >"$HOME/.codex/config.toml"
printf 'first %s\n' "$VALUE" >"$HOME/.codex/history.jsonl"
watching --idle 200ms
slowly clean "$T/old.jsonl" || fail "$(cat "$C/watch.out" "$C/watch.err")"
slowly clean "$HOME/.claude/projects/p/s.jsonl" || fail "of Claude Code"
slowly clean "$HOME/.codex/history.jsonl" || fail "a file by name"
mkdir -p "$T/2026/11/29"
printf '{"text":"%s"}\n' "$VALUE" >"$T/2026/11/29/new.jsonl"
slowly clean "$T/2026/11/29/new.jsonl" || fail "a new directory"
printf 'packed %s\n' "$VALUE" | gzip >"$T/p.gz"
packed() { gzip -dc "$T/p.gz" | grep -qF redacted:web/key; }
slowly packed || fail "a packed file"
sqlite3 "$HOME/.codex/thread_history_1.sqlite" "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES ('$VALUE')" >/dev/null
slowly clean "$HOME/.codex/thread_history_1.sqlite" || fail "a database: $(cat "$C/watch.out")"
grep -qF "$VALUE" "$HOME/.codex/config.toml" || fail "what is no transcript was changed"
rm "$HOME/.codex/config.toml"
has "$(cat "$C/watch.out")" "changed  $T/old.jsonl: web/key 1"
hasnt "$(cat "$C/watch.out" "$C/watch.err")" "$VALUE"
ended 0
has "$(cat "$C/watch.err")" "following $T"

say "a writer that keeps its file open keeps every line; it is redacted when it is closed"
watching --idle 200ms --json "$T"
/usr/bin/python3 - "$T" "$VALUE" "$S" <<'PY' &
import os, sqlite3, sys, time
folder, value, sync = sys.argv[1:]
db = sqlite3.connect(folder + "/live.sqlite", isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("CREATE TABLE t (i INTEGER PRIMARY KEY, a)")
with open(folder + "/live.jsonl", "w") as f:
    for i in range(100):
        f.write('{"n":%d,"text":"%s"}\n' % (i, value))
        f.flush()
        db.execute("INSERT INTO t (a) VALUES (?)", ("row %d %s" % (i, value),))
        # And one that opens and closes for each line.
        with open(folder + "/each.jsonl", "a") as g:
            g.write('{"n":%d,"text":"%s"}\n' % (i, value))
        time.sleep(0.02)
    open(sync + "/written", "w").close()
    while not os.path.exists(sync + "/stop"):
        time.sleep(0.02)
db.close()
PY
writer=$!
within 60 test -e "$S/written" || fail "the writer does not come to an end"
slowly clean "$T/each.jsonl" || fail "the file that is closed: $(cat "$C/watch.out")"
grep -qF "$VALUE" "$T/live.jsonl" || fail "the open file was changed"
touch "$S/stop"
wait $writer || fail "the writer failed"
slowly clean "$T/live.jsonl" || fail "the file is closed: $(cat "$C/watch.out")"
slowly clean "$T/live.sqlite" || fail "the database is closed: $(cat "$C/watch.out")"
for f in live each; do
    [ "$(jq -c .n "$T/$f.jsonl" | tr '\n' ' ')" = "$(seq 0 99 | tr '\n' ' ')" ] || fail "$f: lines are lost"
    [ "$(grep -c redacted: "$T/$f.jsonl")" = 100 ] || fail "$f: not every line"
done
[ "$(sqlite3 "$T/live.sqlite" "SELECT count(*) FROM t WHERE a = 'row ' || (i - 1) || ' [redacted:web/key]'")" = 100 ] || fail "rows are lost"
ended 0
[ "$(jq -s --arg f "$T/live.jsonl" '[.[] | select(.file == $f) | .state] | unique == ["changed"]' "$C/watch.out")" = true ] || fail "$(cat "$C/watch.out")"
[ "$(tail -n 1 "$C/watch.out" | jq -c '[.left, .changed > 2]')" = '[0,true]' ] || fail "$(tail -n 1 "$C/watch.out")"

say "locked, and with the broker gone: it waits, and goes on from there"
watching --idle 200ms "$T"
printf 'a %s\n' "$VALUE" >"$T/a"
slowly clean "$T/a" || fail "not at work"
ok auth-guard lock
printf 'b %s\n' "$VALUE" >"$T/b"
within 20 grep -q '^waiting: ' "$C/watch.err" || fail "it does not wait: $(cat "$C/watch.err")"
sleep 3
grep -qF "$VALUE" "$T/b" && kill -0 $WATCH || fail "it went on without a vault"
ok auth-guard unlock
slowly clean "$T/b" || fail "it does not go on: $(cat "$C/watch.out" "$C/watch.err")"
kill_broker
within 20 broker_gone || fail "the broker is still there"
printf 'c %s\n' "$VALUE" >"$T/c"
sleep 3
kill -0 $WATCH || fail "it ended with the broker: $(cat "$C/watch.err")"
ok auth-guard unlock
slowly clean "$T/c" || fail "it does not go on with a new broker: $(cat "$C/watch.out" "$C/watch.err")"
ended 0

say "killed, it leaves whole files, and the next one clears up"
for i in 1 2 3 4 5 6; do
    seq 20000 >"$T/k"
    printf 'k %s\n' "$VALUE" >>"$T/k"
    watching --idle 100ms "$T"
    sleep "0.0$((i * 2 - 1))"
    kill -KILL $WATCH
    wait $WATCH 2>/dev/null
    [ "$(wc -l <"$T/k")" = 20001 ] || fail "the file is not whole"
done
watching --idle 100ms "$T"
slowly clean "$T/k" || fail "the next one: $(cat "$C/watch.out" "$C/watch.err")"
ended 0

say "what is wrong is said"
refused 'watch transcripts' auth-guard watch
refused 'watch what' auth-guard watch everything
refused 'between 100ms' auth-guard watch transcripts --idle 1ms
refused 'is not there' auth-guard watch transcripts "$HOME/nowhere"
no_leak
audit_verifies
