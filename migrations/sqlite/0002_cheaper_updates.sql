-- What a row costs to write: the same rules and the same order, in words that SQLite has less to do for.

-- An update touches an index when it names a column of it, or of its condition: a stamp changes less often than the state.
DROP INDEX work_live;
CREATE UNIQUE INDEX work_live ON work (session_id) WHERE stopped_at IS NULL;

-- An IN of more than two values fills a table with them each time that it is evaluated.
CREATE TABLE session_next (
  id                 TEXT PRIMARY KEY,
  environment_id     TEXT NOT NULL,
  agent              TEXT,
  agent_id           TEXT GENERATED ALWAYS AS (json_extract(agent, '$.id')) VIRTUAL,
  title              TEXT,
  metadata           TEXT NOT NULL,
  status             TEXT NOT NULL,
  live_work_id       TEXT,
  last_event_id      TEXT,
  last_input_id      TEXT,
  last_agent_event_id TEXT,
  processed_through  TEXT,
  cancelled_through  TEXT,
  active_micros      INTEGER NOT NULL,
  active_since       INTEGER,
  archived_at        INTEGER,
  created_at         INTEGER NOT NULL,
  updated_at         INTEGER NOT NULL,
  deleted_at         INTEGER,
  CHECK (status = 'idle' OR status = 'running' OR status = 'rescheduling' OR status = 'terminated'),
  CHECK (live_work_id IS NULL OR (archived_at IS NULL AND deleted_at IS NULL)),
  CHECK ((status = 'running') = (active_since IS NOT NULL)),
  CHECK (status <> 'terminated' OR archived_at IS NOT NULL)
);
INSERT INTO session_next (id, environment_id, agent, title, metadata, status, live_work_id, last_event_id, last_input_id,
    last_agent_event_id, processed_through, cancelled_through, active_micros, active_since, archived_at, created_at,
    updated_at, deleted_at)
  SELECT id, environment_id, agent, title, metadata, status, live_work_id, last_event_id, last_input_id,
    last_agent_event_id, processed_through, cancelled_through, active_micros, active_since, archived_at, created_at,
    updated_at, deleted_at
  FROM session ORDER BY id;
DROP TABLE session;
ALTER TABLE session_next RENAME TO session;
CREATE INDEX session_environment ON session (environment_id, id) WHERE deleted_at IS NULL;
CREATE INDEX session_agent ON session (agent_id, id) WHERE deleted_at IS NULL AND agent_id IS NOT NULL;
CREATE INDEX session_deleted ON session (id) WHERE deleted_at IS NOT NULL;
