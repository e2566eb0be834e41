-- 0001_vault.sql: the vault. Never edited once released; a change is a new file.
--
-- Every table but `audit` has the shape the row engine writes (store/row.h):
-- id, numbers, plain blobs, then `body` (names and whatever else tells
-- something, sealed under a metadata key), then `tag`, a keyed hash over the
-- whole row with the id of its key in front. Times are milliseconds since 1970;
-- where 0 means "not yet", the row is alive. References are NULL, not 0.

-- One row: who this vault is.
CREATE TABLE vault (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    uses_folded INTEGER NOT NULL CHECK (uses_folded >= 0),
    vault_id    BLOB NOT NULL CHECK (length(vault_id) = 16),
    tag         BLOB NOT NULL CHECK (length(tag) = 20)
) STRICT;

-- The vault's own keys, wrapped under the wrap key: metadata, audit, head, rows,
-- use journal.
-- A rekey wraps them anew and adds fresh ones; old ones read old rows.
CREATE TABLE data_key (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    purpose     INTEGER NOT NULL CHECK (purpose BETWEEN 1 AND 5),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    wrapped     BLOB NOT NULL CHECK (length(wrapped) > 32),
    tag         BLOB NOT NULL CHECK (length(tag) = 20)
) STRICT;

-- Unlock slots; removed ones keep their row, without the blob.
CREATE TABLE slot (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    kind        INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    removed_ms  INTEGER NOT NULL CHECK (removed_ms >= 0),
    blob        BLOB NOT NULL CHECK (length(blob) <= 256
                                     AND (removed_ms = 0 OR length(blob) = 0)),
    tag         BLOB NOT NULL CHECK (length(tag) = 20)
) STRICT;

CREATE TABLE secret (
    id              INTEGER PRIMARY KEY CHECK (id > 0),
    kind            INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 7),
    min_grade       INTEGER NOT NULL CHECK (min_grade BETWEEN 1 AND 4),
    retain_count    INTEGER NOT NULL CHECK (retain_count BETWEEN 0 AND 100),
    current_version INTEGER NOT NULL CHECK (current_version >= 0),
    last_version    INTEGER NOT NULL CHECK (last_version >= current_version),
    created_ms      INTEGER NOT NULL CHECK (created_ms > 0),
    changed_ms      INTEGER NOT NULL CHECK (changed_ms > 0),
    removed_ms      INTEGER NOT NULL CHECK (removed_ms >= 0),
    name_hash       BLOB NOT NULL CHECK (length(name_hash) = 32),
    body            BLOB NOT NULL CHECK (length(body) > 44),
    tag             BLOB NOT NULL CHECK (length(tag) = 20),
    CHECK (removed_ms = 0 OR current_version = 0)
) STRICT;
CREATE UNIQUE INDEX secret_name ON secret (name_hash) WHERE removed_ms = 0;

-- wrapped: this version's data key; value: sealed under it. Both empty once
-- destroyed (4) or released (5).
CREATE TABLE version (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    secret_id   INTEGER NOT NULL REFERENCES secret (id),
    number      INTEGER NOT NULL CHECK (number > 0),
    state       INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    changed_ms  INTEGER NOT NULL CHECK (changed_ms > 0),
    value_bytes INTEGER NOT NULL CHECK (value_bytes >= 0),
    wrapped     BLOB NOT NULL,
    value       BLOB NOT NULL,
    tag         BLOB NOT NULL CHECK (length(tag) = 20),
    UNIQUE (secret_id, number),
    CHECK ((state <= 3) = (length(wrapped) > 0)),
    CHECK ((state <= 3) = (length(value) > 0)),
    CHECK (state <= 3 OR value_bytes = 0)
) STRICT;
CREATE UNIQUE INDEX version_current ON version (secret_id) WHERE state = 2;

CREATE TABLE task (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    deadline_ms INTEGER NOT NULL CHECK (deadline_ms > created_ms),
    ended_ms    INTEGER NOT NULL CHECK (ended_ms >= 0),
    end_reason  INTEGER NOT NULL CHECK (end_reason BETWEEN 0 AND 9),
    exit_code   INTEGER NOT NULL CHECK (exit_code BETWEEN -1 AND 255),
    root_pid    INTEGER NOT NULL CHECK (root_pid >= 0),
    root_start  INTEGER NOT NULL CHECK (root_start >= 0),
    body        BLOB NOT NULL CHECK (length(body) > 44),
    tag         BLOB NOT NULL CHECK (length(tag) = 20),
    CHECK ((ended_ms = 0) = (end_reason = 0))
) STRICT;
CREATE INDEX task_live ON task (id) WHERE ended_ms = 0;

CREATE TABLE role (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    kind        INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 4),
    token_id    INTEGER REFERENCES token (id),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    ended_ms    INTEGER NOT NULL CHECK (ended_ms >= 0),
    end_reason  INTEGER NOT NULL CHECK (end_reason BETWEEN 0 AND 9),
    name_hash   BLOB NOT NULL CHECK (length(name_hash) = 32),
    body        BLOB NOT NULL CHECK (length(body) > 44),
    tag         BLOB NOT NULL CHECK (length(tag) = 20),
    CHECK ((ended_ms = 0) = (end_reason = 0))
) STRICT;
CREATE UNIQUE INDEX role_name ON role (name_hash) WHERE ended_ms = 0;

CREATE TABLE token (
    id             INTEGER PRIMARY KEY CHECK (id > 0),
    parent_id      INTEGER REFERENCES token (id) CHECK (parent_id < id),
    task_id        INTEGER REFERENCES task (id),
    role_id        INTEGER REFERENCES role (id),
    depth          INTEGER NOT NULL CHECK (depth BETWEEN 0 AND 16),
    flags          INTEGER NOT NULL CHECK (flags BETWEEN 0 AND 3),
    created_ms     INTEGER NOT NULL CHECK (created_ms > 0),
    expires_ms     INTEGER NOT NULL CHECK (expires_ms > created_ms),
    max_expires_ms INTEGER NOT NULL CHECK (max_expires_ms >= expires_ms),
    generation     INTEGER NOT NULL CHECK (generation >= 0),
    uses_max       INTEGER NOT NULL CHECK (uses_max >= 0),
    uses_count     INTEGER NOT NULL CHECK (uses_count >= 0),
    revoked_ms     INTEGER NOT NULL CHECK (revoked_ms >= 0),
    end_reason     INTEGER NOT NULL CHECK (end_reason BETWEEN 0 AND 9),
    hash           BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    accessor_hash  BLOB NOT NULL UNIQUE CHECK (length(accessor_hash) = 32),
    body           BLOB NOT NULL CHECK (length(body) > 44),
    tag            BLOB NOT NULL CHECK (length(tag) = 20),
    CHECK ((revoked_ms = 0) = (end_reason = 0))
) STRICT;
CREATE INDEX token_live ON token (expires_ms) WHERE revoked_ms = 0;
CREATE INDEX token_task ON token (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX token_parent ON token (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE task_grant (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    task_id     INTEGER NOT NULL REFERENCES task (id),
    verb        INTEGER NOT NULL CHECK (verb BETWEEN 1 AND 5),
    uses_max    INTEGER NOT NULL CHECK (uses_max >= 0),
    uses_count  INTEGER NOT NULL CHECK (uses_count >= 0),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    expires_ms  INTEGER NOT NULL CHECK (expires_ms >= 0),
    ended_ms    INTEGER NOT NULL CHECK (ended_ms >= 0),
    body        BLOB NOT NULL CHECK (length(body) > 44),
    tag         BLOB NOT NULL CHECK (length(tag) = 20)
) STRICT;
CREATE INDEX task_grant_task ON task_grant (task_id);

CREATE TABLE lease (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    task_id     INTEGER REFERENCES task (id),
    token_id    INTEGER REFERENCES token (id),
    secret_id   INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    verb        INTEGER NOT NULL CHECK (verb BETWEEN 1 AND 6),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    expires_ms  INTEGER NOT NULL CHECK (expires_ms >= created_ms),
    ended_ms    INTEGER NOT NULL CHECK (ended_ms >= 0),
    end_reason  INTEGER NOT NULL CHECK (end_reason BETWEEN 0 AND 9),
    body        BLOB NOT NULL CHECK (length(body) > 44),
    tag         BLOB NOT NULL CHECK (length(tag) = 20),
    FOREIGN KEY (secret_id, version) REFERENCES version (secret_id, number),
    CHECK ((ended_ms = 0) = (end_reason = 0))
) STRICT;
CREATE INDEX lease_task ON lease (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX lease_live ON lease (id) WHERE ended_ms = 0;
CREATE INDEX lease_live_task ON lease (task_id) WHERE ended_ms = 0;

CREATE TABLE exposure (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    secret_id   INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    task_id     INTEGER REFERENCES task (id),
    verb        INTEGER NOT NULL CHECK (verb BETWEEN 1 AND 6),
    first_ms    INTEGER NOT NULL CHECK (first_ms > 0),
    last_ms     INTEGER NOT NULL CHECK (last_ms >= first_ms),
    times_count INTEGER NOT NULL CHECK (times_count > 0),
    tag         BLOB NOT NULL CHECK (length(tag) = 20),
    FOREIGN KEY (secret_id, version) REFERENCES version (secret_id, number)
) STRICT;
CREATE UNIQUE INDEX exposure_seen
    ON exposure (secret_id, version, coalesce(task_id, 0), verb);
CREATE INDEX exposure_task ON exposure (task_id) WHERE task_id IS NOT NULL;

-- A value that may be opened once; wrapped and value are empty afterwards.
CREATE TABLE wrap (
    id             INTEGER PRIMARY KEY CHECK (id > 0),
    task_id        INTEGER REFERENCES task (id),
    secret_id      INTEGER REFERENCES secret (id),
    version        INTEGER NOT NULL CHECK (version >= 0),
    created_ms     INTEGER NOT NULL CHECK (created_ms > 0),
    expires_ms     INTEGER NOT NULL CHECK (expires_ms > created_ms),
    opened_ms      INTEGER NOT NULL CHECK (opened_ms >= 0),
    attempts_count INTEGER NOT NULL CHECK (attempts_count >= 0),
    has_value      INTEGER NOT NULL CHECK (has_value IN (0, 1)),
    hash           BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    wrapped        BLOB NOT NULL CHECK ((length(wrapped) > 0) = (has_value = 1)),
    value          BLOB NOT NULL CHECK ((length(value) > 0) = (has_value = 1)),
    tag            BLOB NOT NULL CHECK (length(tag) = 20),
    CHECK (opened_ms = 0 OR has_value = 0)
) STRICT;
CREATE INDEX wrap_waiting ON wrap (expires_ms) WHERE has_value = 1;

CREATE TABLE move (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    kind        INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 2),
    state       INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6),
    secret_id   INTEGER REFERENCES secret (id),
    version     INTEGER NOT NULL CHECK (version >= 0),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    changed_ms  INTEGER NOT NULL CHECK (changed_ms > 0),
    body        BLOB NOT NULL CHECK (length(body) > 44),
    tag         BLOB NOT NULL CHECK (length(tag) = 20)
) STRICT;
CREATE INDEX move_open ON move (id) WHERE state <= 3;

-- The record. chain: keyed hash over the previous chain and this row.
CREATE TABLE audit (
    seq      INTEGER PRIMARY KEY CHECK (seq > 0),
    wall_ms  INTEGER NOT NULL CHECK (wall_ms > 0),
    kind     INTEGER NOT NULL CHECK (kind > 0),
    key_id   INTEGER NOT NULL REFERENCES data_key (id),
    body     BLOB NOT NULL CHECK (length(body) > 44),
    chain    BLOB NOT NULL CHECK (length(chain) = 32)
) STRICT;
