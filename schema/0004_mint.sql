-- 0004_mint.sql: credentials made at a provider for one task each. Never edited
-- once released; a change is a new file. The shape is that of 0001.

-- One credential. States up to 3 are open: minting, live, revoking. version: 0
-- while its value is not known here. due_ms: before that nothing is to be done.
CREATE TABLE minted (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    secret_id   INTEGER NOT NULL REFERENCES secret (id),
    version     INTEGER NOT NULL CHECK (version >= 0),
    task_id     INTEGER NOT NULL REFERENCES task (id),
    state       INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
    attempts    INTEGER NOT NULL CHECK (attempts >= 0),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    changed_ms  INTEGER NOT NULL CHECK (changed_ms > 0),
    expires_ms  INTEGER NOT NULL CHECK (expires_ms > 0),
    due_ms      INTEGER NOT NULL CHECK (due_ms >= 0),
    body        BLOB NOT NULL CHECK (length(body) > 44),
    tag         BLOB NOT NULL CHECK (length(tag) = 20)
) STRICT;
CREATE INDEX minted_of_task ON minted (task_id, secret_id) WHERE state <= 3;
CREATE INDEX minted_due ON minted (due_ms) WHERE state <= 3;
