-- Create, poll, ack, heartbeat, stop: each statement is a transaction of its own.
\set taken 0
INSERT INTO item (message) VALUES ('Please have a look at the failing build.');
UPDATE item SET delivered_at = now(), worker = :client_id WHERE id = (SELECT id FROM item WHERE state = 'queued' AND delivered_at IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id AS taken \aset
UPDATE item SET state = 'starting', acked_at = now() WHERE id = :taken;
UPDATE item SET state = 'active', beat_at = now() WHERE id = :taken;
UPDATE item SET state = 'stopped', stopped_at = now() WHERE id = :taken;
