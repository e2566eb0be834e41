# P5, where transcripts are SQLite databases: redact --in-place takes values out of every
# text of theirs, out of logs, journals, indexes and freed pages; whatever ends it, the name
# leads to one whole database.
# timeout: 900
# long: yes
vault
VALUE=$(canary sk-live-)
OTHER=$(canary)
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
printf %s "$OTHER" | auth-guard put db/pw >/dev/null 2>&1 || fail put
T=$HOME/.codex
D=$T/thread_history_1.sqlite
mkdir -p "$T"
leftovers() { find "$HOME" "$S" -name '.ag-inplace-*' | grep . && fail "something is left"; }
state() { jq -r --arg f "$2" '.files[] | select(.file == $f) | .state' <<<"$1"; }
ask() { sqlite3 "$1" "$2"; }
raw() { # FILE: no form of the value lies anywhere in it, nor beside it
    local f
    for f in "$1"*; do
        grep -aqF -e "$VALUE" -e "$OTHER" "$f" && fail "a value is in $f"
        ! tr '[:upper:]' '[:lower:]' <"$f" | grep -aqF "$(tr '[:upper:]' '[:lower:]' <<<"${VALUE#sk-live-}")" || fail "a word of a value is in $f"
    done
}
# FILE [left]: items as Codex keeps them; `left`: their writer is killed, all is in the log.
history() {
    rm -f "$1" "$1"-*
    /usr/bin/python3 - "$1" "$VALUE" "$OTHER" "${2:-closed}" <<'PY'
import base64, json, os, sqlite3, sys
path, value, other, how = sys.argv[1:]
db = sqlite3.connect(path, isolation_level=None)
db.execute("PRAGMA auto_vacuum = INCREMENTAL")
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA wal_autocheckpoint = 0")
db.executescript("""
CREATE TABLE thread_items (thread_id TEXT NOT NULL, item_id TEXT NOT NULL, ordinal INTEGER NOT NULL,
    item_json TEXT NOT NULL CHECK (json_valid(item_json)), item_type TEXT NOT NULL, PRIMARY KEY (thread_id, item_id));
CREATE UNIQUE INDEX pages ON thread_items (thread_id, ordinal);
CREATE INDEX texts ON thread_items (item_json);
CREATE TABLE notes (body BLOB, sum BLOB);
CREATE VIRTUAL TABLE found USING fts5(item_json, content='thread_items');
CREATE TRIGGER told AFTER UPDATE ON thread_items BEGIN INSERT INTO notes VALUES (old.item_json, NULL); END;
""")
db.execute("BEGIN")
for i in range(1000):
    text = "line %d" % i
    if i == 500: text = "the key is %s\nand that is it" % value
    if i == 600: text = base64.b64encode(other.encode()).decode()
    db.execute("INSERT INTO thread_items VALUES ('t', ?, ?, ?, 'agentMessage')", ("i%d" % i, i, json.dumps({"text": text})))
db.execute("INSERT INTO notes VALUES (?, x'0001ff')", (b"a blob of text: " + value.encode(),))
db.execute("INSERT INTO found (found) VALUES ('rebuild')")
db.execute("COMMIT")
if how == "left":
    os._exit(0)
db.close()
PY
}
clean() { # FILE: what is left of history()
    [ "$(ask "$1" 'PRAGMA integrity_check')" = ok ] || fail "$1 is damaged"
    [ "$(ask "$1" 'SELECT count(*) FROM thread_items')" = 1000 ] || fail "$1: rows are lost"
    [ "$(ask "$1" "SELECT json_extract(item_json, '\$.text') FROM thread_items WHERE item_id = 'i500'")" = "the key is [redacted:web/key]
and that is it" ] || fail "$(ask "$1" "SELECT item_json FROM thread_items WHERE item_id = 'i500'")"
    has "$(ask "$1" "SELECT item_json FROM thread_items WHERE item_id = 'i600'")" '[redacted:db/pw'
    [ "$(ask "$1" "SELECT typeof(body) || body FROM notes")" = 'bloba blob of text: [redacted:web/key]' ] || fail "$(ask "$1" 'SELECT * FROM notes')"
    [ "$(ask "$1" "SELECT count(*) FROM found WHERE found MATCH 'redacted'")" = 2 ] || fail "$1: the index"
    [ "$(ask "$1" 'PRAGMA journal_mode; PRAGMA auto_vacuum' | xargs)" = 'wal 2' ] || fail "$1: its settings"
    raw "$1"
}

say "a dry run says what is in, also in the log of a writer that was killed, and writes nothing"
history "$D" left
grep -aqF "$VALUE" "$D-wal" && ! grep -aqF "$VALUE" "$D" || fail "the value is not in the log alone"
was=$(sha256sum "$D" "$D-wal")
run auth-guard redact --in-place --dry-run "$T"
[ $RC -eq 1 ] || fail "dry run: exit $RC $ERR"
has "$OUT" "found    $D: "
has "$OUT" 'web/key 2'
has "$OUT" 'db/pw 1'
[ "$(sha256sum "$D" "$D-wal")" = "$was" ] || fail "the dry run wrote"
leftovers

say "texts, blobs, the log and the index are changed, in one step"
chmod 640 "$D"
ok auth-guard redact --in-place --json "$T"
[ "$(state "$OUT" "$D")" = changed ] || fail "$OUT"
[ "$(jq -c '[.checked, .changed, .left, .binary, .hits, .files[0].wiped]' <<<"$OUT")" = '[3,1,0,2,3,true]' ] || fail "$OUT"
[ "$(stat -c %a "$D")" = 640 ] || fail "mode"
[ "$(ls "$T")" = thread_history_1.sqlite ] || fail "$(ls "$T")"
clean "$D"
run auth-guard redact --in-place --json "$T"
[ $RC -eq 0 ] && [ "$(jq .changed <<<"$OUT")" = 0 ] || fail "once more: $RC $OUT $ERR"
leftovers
no_leak

say "rows that were deleted long ago"
sqlite3 "$T/old.sqlite" "PRAGMA secure_delete=OFF; CREATE TABLE t(a);
    WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c LIMIT 300) INSERT INTO t SELECT i || ' $VALUE' FROM c;
    DELETE FROM t WHERE rowid > 1;" >/dev/null
[ "$(grep -acF "$VALUE" "$T/old.sqlite")" -gt 0 ] || fail "it is gone already"
ok auth-guard redact --in-place "$T"
raw "$T/old.sqlite"
[ "$(ask "$T/old.sqlite" 'SELECT a FROM t')" = '1 [redacted:web/key]' ] || fail "$(ask "$T/old.sqlite" 'SELECT a FROM t')"
rm "$T/old.sqlite"

say "who has it open keeps it, and its rows"
history "$D"
/usr/bin/python3 - "$D" "$S" <<'PY' &
import os, sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("INSERT INTO notes VALUES ('while it is open', NULL)")
open(sys.argv[2] + "/opened", "w").close()
while not os.path.exists(sys.argv[2] + "/stop"):
    time.sleep(0.02)
db.execute("DELETE FROM notes WHERE body = 'while it is open'")
db.close()
PY
writer=$!
within 10 test -e "$S/opened" || fail "no writer"
run auth-guard redact --in-place "$T"
[ $RC -eq 75 ] && has "$OUT" 'another process has it open' || fail "exit $RC $OUT $ERR"
run auth-guard redact --in-place --dry-run "$T"
[ $RC -eq 1 ] && has "$OUT" 'web/key 2' && has "$OUT" 'has it open' || fail "exit $RC $OUT $ERR"
[ "$(ask "$D" "SELECT count(*) FROM notes")" = 2 ] || fail "the writer's row"
touch "$S/stop"
wait $writer
ok auth-guard redact --in-place "$T"
clean "$D"
leftovers

say "what can't be changed is left, with the reason"
sqlite3 "$T/unique.sqlite" "CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES ('$VALUE'), ('[redacted:web/key]')"
sqlite3 "$T/schema.sqlite" "CREATE TABLE t(a DEFAULT '$VALUE')"
head -c 5000 "$D" >"$T/cut.sqlite"
was=$(sha256sum "$T"/unique.sqlite "$T"/schema.sqlite "$T"/cut.sqlite)
run auth-guard redact --in-place --json "$T"
[ $RC -eq 65 ] && [ "$(jq -c '[.left, ([.files[].code] | sort)]' <<<"$OUT")" = '[3,["corrupt","unsuitable_file","unsuitable_file"]]' ] || fail "exit $RC $OUT $ERR"
has "$OUT" 'break a constraint'
has "$OUT" 'in the schema'
hasnt "$OUT$ERR" "$VALUE"
[ "$(sha256sum "$T"/unique.sqlite "$T"/schema.sqlite "$T"/cut.sqlite)" = "$was" ] || fail "they were touched"
rm "$T"/unique.sqlite "$T"/schema.sqlite "$T"/cut.sqlite
leftovers

say "killed at every step: the old or the new, whole, and the next run clears up"
step=${CRASH_STEP:-1}
tried=0
for ((n = 1; ; n += step)); do
    history "$D" left
    e2e_crash "$n" auth-guard redact --in-place "$D" >"$C/out" 2>"$C/err"
    rc=$?
    tried=$((tried + 1))
    # A copy is looked at: SQLite would set in order what the kill left.
    rm -rf "$S/copy"
    mkdir "$S/copy"
    cp -p "$D"* "$S/copy/"
    copy=$S/copy/${D##*/}
    [ "$(ask "$copy" 'PRAGMA integrity_check')" = ok ] && [ "$(ask "$copy" 'SELECT count(*) FROM thread_items')" = 1000 ] ||
        fail "killed at call $n: it is not whole"
    ask "$copy" "SELECT item_json FROM thread_items WHERE item_id = 'i500'" | grep -qF -e "$VALUE" -e redacted:web/key ||
        fail "killed at call $n: a row is lost"
    rm -r "$S/copy"
    [ $rc -eq 137 ] || break
    ok timeout 60 auth-guard redact --in-place "$D"
    clean "$D"
    leftovers
done
[ $rc -eq 0 ] || fail "it failed by itself: $(cat "$C/err")"
clean "$D"
say "$tried points tried"
no_leak
audit_verifies
