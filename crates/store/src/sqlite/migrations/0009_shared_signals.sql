-- Security events for others until they took them, oldest first by rowid.
CREATE TABLE signals_out (
    stream TEXT    NOT NULL,
    id     TEXT    NOT NULL,
    body   TEXT    NOT NULL,
    PRIMARY KEY (stream, id)
) STRICT;

-- Security events of others that had their effect, by digest of stream and identifier.
CREATE TABLE signals_in (
    digest BLOB PRIMARY KEY
) STRICT;
