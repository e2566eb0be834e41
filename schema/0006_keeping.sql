-- 0006_keeping.sql: what is kept, looked up and told. Never edited
-- once released; a change is a new file. The shape is that of 0001.

-- The journals keep the newest rows of what has ended, secret by secret.
CREATE INDEX rotation_of ON rotation (secret_id);
CREATE INDEX minted_ended ON minted (secret_id) WHERE state > 3;

-- How many secrets there are, and which are logins, without reading them.
CREATE INDEX secret_there ON secret (kind)
    WHERE removed_ms = 0 AND current_version > 0;

-- What all texts of a renewed token share, hashed: one row from its first renewal
-- on, since the token's own has the hash of its first text.
CREATE TABLE token_line (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    token_id    INTEGER NOT NULL UNIQUE REFERENCES token (id),
    hash        BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    tag         BLOB NOT NULL CHECK (length(tag) = 20)
) STRICT;

-- What a rule's program is to be told of a rotation; told_ms 0: not yet.
CREATE TABLE notice (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    secret_id   INTEGER NOT NULL REFERENCES secret (id),
    rotation_id INTEGER NOT NULL CHECK (rotation_id > 0),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    told_ms     INTEGER NOT NULL CHECK (told_ms >= 0),
    body        BLOB NOT NULL CHECK (length(body) > 44),
    tag         BLOB NOT NULL CHECK (length(tag) = 20)
) STRICT;
CREATE INDEX notice_waiting ON notice (id) WHERE told_ms = 0;
