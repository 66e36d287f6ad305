-- Times are whole seconds since 1970. Roles and methods are words joined by spaces.
CREATE TABLE users (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    roles      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('active', 'closed'))
) STRICT;
CREATE TABLE passkeys (
    credential BLOB PRIMARY KEY,
    user       TEXT NOT NULL REFERENCES users (id),
    record     TEXT NOT NULL,
    counter    INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX passkeys_of_user ON passkeys (user);
CREATE TABLE invitations (
    code       BLOB PRIMARY KEY,
    name       TEXT,
    roles      TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE devices (
    id                TEXT PRIMARY KEY,
    key               BLOB NOT NULL UNIQUE,
    key_jwk           TEXT NOT NULL,
    name              TEXT NOT NULL,
    enrolled_at       INTEGER NOT NULL,
    state             TEXT NOT NULL CHECK (state IN ('active', 'revoked')),
    platform          TEXT NOT NULL,
    tier              TEXT NOT NULL,
    established_at    INTEGER NOT NULL,
    security_level    TEXT NOT NULL,
    bootloader_locked INTEGER,
    boot_state        TEXT,
    os_version        INTEGER,
    patch_level       INTEGER,
    app               TEXT,
    app_version       INTEGER
) STRICT;
CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    user       TEXT NOT NULL REFERENCES users (id),
    roles      TEXT NOT NULL,
    device     TEXT NOT NULL REFERENCES devices (id),
    client     TEXT NOT NULL,
    state      TEXT NOT NULL,
    acr        TEXT NOT NULL,
    amr        TEXT NOT NULL,
    auth_time  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_of_user ON sessions (user);
CREATE INDEX sessions_of_device ON sessions (device);
CREATE TABLE codes (
    hash       BLOB PRIMARY KEY,
    user       TEXT NOT NULL,
    client     TEXT NOT NULL,
    device     TEXT NOT NULL,
    key        BLOB NOT NULL,
    challenge  BLOB NOT NULL,
    auth_time  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    session    TEXT,
    family     TEXT
) STRICT;
CREATE TABLE refresh_families (
    token      BLOB PRIMARY KEY,
    id         TEXT NOT NULL,
    session    TEXT NOT NULL,
    client     TEXT NOT NULL,
    device     TEXT NOT NULL,
    key        BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX refresh_of_session ON refresh_families (session);
CREATE TABLE keys (
    purpose    TEXT NOT NULL,
    id         TEXT NOT NULL,
    secret     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (purpose, id)
) STRICT;
