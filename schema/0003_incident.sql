-- 0003_incident.sql: what leaked, or may have. Never edited once released; a
-- change is a new file. The shape is that of 0001.

-- Either of a version of a secret that was seen where it does not belong, or
-- (secret_id NULL) of a task that tripped a wire: then all it could have seen.
-- Of each of these one is open at a time; seen again, it is counted there.
CREATE TABLE incident (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    secret_id   INTEGER REFERENCES secret (id),
    version     INTEGER NOT NULL CHECK (version >= 0),
    task_id     INTEGER REFERENCES task (id),
    source      INTEGER NOT NULL CHECK (source BETWEEN 1 AND 4),
    answer      INTEGER NOT NULL CHECK (answer BETWEEN 1 AND 5),
    seen_count  INTEGER NOT NULL CHECK (seen_count > 0),
    created_ms  INTEGER NOT NULL CHECK (created_ms > 0),
    changed_ms  INTEGER NOT NULL CHECK (changed_ms > 0),
    closed_ms   INTEGER NOT NULL CHECK (closed_ms >= 0),
    body        BLOB NOT NULL CHECK (length(body) > 44),
    tag         BLOB NOT NULL CHECK (length(tag) = 20),
    CHECK ((secret_id IS NULL) = (version = 0)),
    CHECK (secret_id IS NOT NULL OR task_id IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX incident_of_version ON incident (secret_id, version)
    WHERE closed_ms = 0 AND secret_id IS NOT NULL;
CREATE UNIQUE INDEX incident_of_task ON incident (task_id)
    WHERE closed_ms = 0 AND secret_id IS NULL;
