-- To which database these keys belong, and up to where they followed it. One row.
CREATE TABLE continuity (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    database TEXT    NOT NULL,
    number   INTEGER NOT NULL
) STRICT;
