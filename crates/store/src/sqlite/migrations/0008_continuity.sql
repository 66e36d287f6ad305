-- What the database knows of itself and of the log, so that a start finds an older copy of either. One row.
CREATE TABLE continuity (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    database          TEXT    NOT NULL,
    number            INTEGER NOT NULL,
    log_size          INTEGER NOT NULL,
    log_root          BLOB    NOT NULL,
    backup            INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Up to where data that has ended was forgotten. One row.
CREATE TABLE forgotten (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    through INTEGER NOT NULL
) STRICT;
