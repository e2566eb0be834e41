-- 0006_shed.sql: the journals keep the newest rows of what has ended, secret by
-- secret. Never edited once released; a change is a new file.

CREATE INDEX rotation_of ON rotation (secret_id);
CREATE INDEX minted_ended ON minted (secret_id) WHERE state > 3;
