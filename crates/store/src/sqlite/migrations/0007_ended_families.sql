-- A session and its refresh families end together. Earlier versions ended them one after the other, and a fault between the two left a
-- family behind that opened nothing and did not say so.
UPDATE refresh_families SET revoked = 1 WHERE revoked = 0 AND session IN (SELECT id FROM sessions WHERE state = 'revoked');
