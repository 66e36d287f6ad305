-- The passkey by which a device was bound, and whether there may be copies of it. Earlier bindings have none.
ALTER TABLE bindings ADD COLUMN credential BLOB;
ALTER TABLE bindings ADD COLUMN copyable INTEGER;
ALTER TABLE codes ADD COLUMN credential BLOB;
ALTER TABLE codes ADD COLUMN copyable INTEGER;
