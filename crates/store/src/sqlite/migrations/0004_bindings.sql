-- Which people sign in on which devices. Times are whole seconds since 1970; the last sight is kept by the day.
CREATE TABLE bindings (
    user     TEXT NOT NULL REFERENCES users (id),
    device   TEXT NOT NULL REFERENCES devices (id),
    acr      TEXT NOT NULL,
    bound_at INTEGER NOT NULL,
    seen_on  INTEGER NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('active', 'disowned', 'removed')),
    cut_at   INTEGER,
    PRIMARY KEY (user, device),
    CHECK ((state = 'active') = (cut_at IS NULL))
) STRICT;
CREATE INDEX bindings_of_device ON bindings (device);
INSERT INTO bindings (user, device, acr, bound_at, seen_on, state)
    SELECT user, device, min(acr), min(created_at), max(created_at) / 86400 * 86400, 'active' FROM sessions GROUP BY user, device;
ALTER TABLE sessions ADD COLUMN bound_at INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET bound_at = (SELECT bound_at FROM bindings WHERE bindings.user = sessions.user AND bindings.device = sessions.device);
