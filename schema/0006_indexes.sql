-- 0006_indexes.sql: indexes. Never edited once released; a change is a new file.

-- The journals keep the newest rows of what has ended, secret by secret.
CREATE INDEX rotation_of ON rotation (secret_id);
CREATE INDEX minted_ended ON minted (secret_id) WHERE state > 3;

-- How many secrets there are, and which are logins, without reading them.
CREATE INDEX secret_there ON secret (kind)
    WHERE removed_ms = 0 AND current_version > 0;
