-- 0002_rotation.sql: rules of rotation and the journal of rotations. Never
-- edited once released; a change is a new file. The shape is that of 0001.

-- When and how a secret rotates. next_ms: when it is due; reach_ms: how far
-- from now that can be by the rule itself. Further away, the clock was wrong.
CREATE TABLE rotation_rule (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    secret_id   INTEGER NOT NULL REFERENCES secret (id),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    changed_ms  INTEGER NOT NULL CHECK (changed_ms > 0),
    next_ms     INTEGER NOT NULL CHECK (next_ms > 0),
    reach_ms    INTEGER NOT NULL CHECK (reach_ms > 0),
    removed_ms  INTEGER NOT NULL CHECK (removed_ms >= 0),
    body        BLOB NOT NULL CHECK (length(body) > 44),
    tag         BLOB NOT NULL CHECK (length(tag) = 20)
) STRICT;
CREATE UNIQUE INDEX rotation_rule_of ON rotation_rule (secret_id)
    WHERE removed_ms = 0;
CREATE INDEX rotation_rule_next ON rotation_rule (next_ms, reach_ms)
    WHERE removed_ms = 0;

-- One rotation. States up to 6 are open; of a secret one is open at a time.
-- due_ms: before that nothing is to be done.
CREATE TABLE rotation (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    secret_id   INTEGER NOT NULL REFERENCES secret (id),
    state       INTEGER NOT NULL CHECK (state BETWEEN 1 AND 9),
    old_version INTEGER NOT NULL CHECK (old_version > 0),
    new_version INTEGER NOT NULL CHECK (new_version >= 0),
    attempts    INTEGER NOT NULL CHECK (attempts >= 0),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    changed_ms  INTEGER NOT NULL CHECK (changed_ms > 0),
    due_ms      INTEGER NOT NULL CHECK (due_ms >= 0),
    body        BLOB NOT NULL CHECK (length(body) > 44),
    tag         BLOB NOT NULL CHECK (length(tag) = 20)
) STRICT;
CREATE UNIQUE INDEX rotation_open ON rotation (secret_id) WHERE state <= 6;
CREATE INDEX rotation_due ON rotation (due_ms) WHERE state <= 6;
