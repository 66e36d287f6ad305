-- Development tokens, by hash, and the phones that each enrolled.
CREATE TABLE dev_tokens (
    id         TEXT PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE,
    client     TEXT NOT NULL,
    platform   TEXT,
    expires_at INTEGER NOT NULL,
    phones_max INTEGER NOT NULL,
    networks   TEXT NOT NULL,
    label      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
-- The device is no reference: a use is noted before the device is enrolled, so that none is enrolled beyond the limit.
CREATE TABLE dev_token_uses (
    token   TEXT NOT NULL REFERENCES dev_tokens (id),
    device  TEXT NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (token, device)
) STRICT, WITHOUT ROWID;
-- Each token with its phones, whose ids hold no spaces.
CREATE VIEW kept_dev_tokens AS
SELECT dev_tokens.*, dev_tokens.rowid AS number,
       (SELECT group_concat(device, ' ') FROM (SELECT device FROM dev_token_uses WHERE token = id ORDER BY device)) AS phones,
       (SELECT max(last_at) FROM dev_token_uses WHERE token = id) AS last_used_at
FROM dev_tokens;
