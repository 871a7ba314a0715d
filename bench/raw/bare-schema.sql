-- The least that five commits can be: one table, one row for each item, and the index that a claim needs.
CREATE TABLE item (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message      text NOT NULL,
  state        text NOT NULL DEFAULT 'queued',
  worker       integer,
  created_at   timestamptz NOT NULL DEFAULT now(),
  delivered_at timestamptz,
  acked_at     timestamptz,
  beat_at      timestamptz,
  stopped_at   timestamptz
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX item_queued ON item (id) WHERE state = 'queued' AND delivered_at IS NULL;
