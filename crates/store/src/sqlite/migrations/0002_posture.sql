-- What else is known of devices: who vouches, what the vendor and the app say, and the key that vouches for the device key.
ALTER TABLE devices ADD COLUMN vouched_by TEXT NOT NULL DEFAULT 'android_key_attestation';
ALTER TABLE devices ADD COLUMN boot_key BLOB;
ALTER TABLE devices ADD COLUMN certificates BLOB NOT NULL DEFAULT x'';
ALTER TABLE devices ADD COLUMN verdict TEXT;
ALTER TABLE devices ADD COLUMN report TEXT;
ALTER TABLE devices ADD COLUMN risk_count INTEGER;
ALTER TABLE devices ADD COLUMN risk_at INTEGER;
ALTER TABLE devices ADD COLUMN vouching_key TEXT;
ALTER TABLE devices ADD COLUMN counter_highest INTEGER;
ALTER TABLE devices ADD COLUMN counter_seen BLOB;
ALTER TABLE devices ADD COLUMN model TEXT;
ALTER TABLE devices ADD COLUMN vouching_receipt BLOB;
