-- What the monitor noticed and did, and what it is not to react to.
CREATE TABLE incidents (
  id TEXT PRIMARY KEY NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  user TEXT,
  device TEXT,
  session TEXT,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  count INTEGER NOT NULL,
  score INTEGER NOT NULL,
  deeds TEXT NOT NULL,
  timeline TEXT NOT NULL
) STRICT;
CREATE INDEX incidents_last_at ON incidents (last_at);
CREATE TABLE suppressions (
  kind TEXT NOT NULL,
  user TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (kind, user)
) STRICT;
