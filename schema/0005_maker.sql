-- 0005_maker.sql: who made a version. Never edited once released; a change is a
-- new file. The shape is that of 0001.

-- id: the version's. Versions made before this file have no row: nobody knows.
-- task_id: of maker 4, a task.
CREATE TABLE version_maker (
    id          INTEGER PRIMARY KEY REFERENCES version (id) CHECK (id > 0),
    maker       INTEGER NOT NULL CHECK (maker BETWEEN 1 AND 5),
    task_id     INTEGER REFERENCES task (id),
    tag         BLOB NOT NULL CHECK (length(tag) = 20),
    CHECK (task_id IS NULL OR maker = 4)
) STRICT;
