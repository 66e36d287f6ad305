-- In a file of its own, so that backups can leave it out: a person who was erased must stay erased. No secret is a tombstone.
CREATE TABLE subject_keys (
    user   TEXT PRIMARY KEY,
    secret BLOB
) STRICT;
