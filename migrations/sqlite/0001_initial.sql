-- Instants are microseconds since the Unix epoch. Ids are text whose order is creation order.

CREATE TABLE environment (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL,
  description   TEXT NOT NULL,
  config        TEXT NOT NULL CHECK (json_valid(config)),
  self_hosted   INTEGER NOT NULL CHECK (self_hosted IN (0, 1)),
  max_attempts  INTEGER NOT NULL CHECK (max_attempts >= 0),
  drain_seconds INTEGER NOT NULL CHECK (drain_seconds > 0),
  start_seconds INTEGER NOT NULL CHECK (start_seconds > 0),
  metadata      TEXT NOT NULL,
  archived_at   INTEGER,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  deleted_at    INTEGER
) WITHOUT ROWID;

CREATE INDEX environment_deleted ON environment (id) WHERE deleted_at IS NOT NULL;

CREATE TABLE agent (
  id          TEXT PRIMARY KEY,
  version     INTEGER NOT NULL CHECK (version > 0),
  fields      TEXT NOT NULL CHECK (json_valid(fields)),
  metadata    TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  archived_at INTEGER,
  deleted_at  INTEGER
);

CREATE INDEX agent_deleted ON agent (id) WHERE deleted_at IS NOT NULL;

-- Every version that an agent ever had, the newest included.
CREATE TABLE agent_version (
  id         TEXT NOT NULL,
  version    INTEGER NOT NULL,
  fields     TEXT NOT NULL,
  metadata   TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (id, version)
) WITHOUT ROWID;

-- Keys of this installation that no caller ever sees.
CREATE TABLE secret (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE session (
  id                 TEXT PRIMARY KEY,
  environment_id     TEXT NOT NULL,
  agent              TEXT,
  agent_id           TEXT GENERATED ALWAYS AS (json_extract(agent, '$.id')) VIRTUAL,
  title              TEXT,
  metadata           TEXT NOT NULL,
  status             TEXT NOT NULL CHECK (status IN ('idle', 'running', 'rescheduling', 'terminated')),
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
  CHECK (live_work_id IS NULL OR (archived_at IS NULL AND deleted_at IS NULL)),
  CHECK ((status = 'running') = (active_since IS NOT NULL)),
  CHECK (status <> 'terminated' OR archived_at IS NOT NULL)
);

CREATE INDEX session_environment ON session (environment_id, id) WHERE deleted_at IS NULL;
CREATE INDEX session_agent ON session (agent_id, id) WHERE deleted_at IS NULL AND agent_id IS NOT NULL;
CREATE INDEX session_deleted ON session (id) WHERE deleted_at IS NOT NULL;

CREATE TABLE work (
  id                  TEXT PRIMARY KEY,
  environment_id      TEXT NOT NULL,
  session_id          TEXT NOT NULL,
  state               TEXT NOT NULL,
  metadata            TEXT NOT NULL,
  created_at          INTEGER NOT NULL,
  acknowledged_at     INTEGER,
  started_at          INTEGER,
  latest_heartbeat_at INTEGER,
  stop_requested_at   INTEGER,
  stopped_at          INTEGER,
  hand_out            INTEGER NOT NULL,
  delivered_at        INTEGER,
  delivered_to        TEXT,
  holder              TEXT,
  former_holder       TEXT,
  available_at        INTEGER,
  attempts            INTEGER NOT NULL,
  deadline_at         INTEGER,
  sweep_at            INTEGER,
  heartbeat_floor     INTEGER NOT NULL,
  beat_replaced       INTEGER,
  beat_key            TEXT,
  beat_ttl_seconds    INTEGER,
  beat_stopping       INTEGER,
  acked_through       TEXT,
  processed_through   TEXT,
  -- Each stamp goes with its state, so that no code path, ours included, can store an item that means two things.
  CHECK (CASE state
    WHEN 'queued' THEN acknowledged_at IS NULL AND started_at IS NULL AND latest_heartbeat_at IS NULL
      AND stop_requested_at IS NULL AND stopped_at IS NULL AND holder IS NULL AND deadline_at IS NULL
      AND sweep_at IS NULL AND beat_ttl_seconds IS NULL
    WHEN 'starting' THEN acknowledged_at IS NOT NULL AND started_at IS NULL AND latest_heartbeat_at IS NULL
      AND stop_requested_at IS NULL AND stopped_at IS NULL AND deadline_at IS NOT NULL AND sweep_at IS NOT NULL
    WHEN 'active' THEN acknowledged_at IS NOT NULL AND started_at IS NOT NULL AND latest_heartbeat_at IS NOT NULL
      AND stop_requested_at IS NULL AND stopped_at IS NULL AND deadline_at IS NOT NULL AND sweep_at IS NOT NULL
    WHEN 'stopping' THEN acknowledged_at IS NOT NULL AND stop_requested_at IS NOT NULL AND stopped_at IS NULL
      AND deadline_at IS NOT NULL AND sweep_at IS NOT NULL
    WHEN 'stopped' THEN stopped_at IS NOT NULL AND deadline_at IS NULL AND sweep_at IS NULL
    ELSE 0 END),
  CHECK (state = 'queued' OR (delivered_at IS NULL AND delivered_to IS NULL AND available_at IS NULL)),
  CHECK (delivered_at IS NULL OR available_at IS NULL),
  CHECK (sweep_at IS NULL OR sweep_at <= deadline_at),
  CHECK (acknowledged_at IS NULL OR acknowledged_at >= created_at),
  CHECK (started_at IS NULL OR started_at >= acknowledged_at),
  CHECK (latest_heartbeat_at IS NULL OR latest_heartbeat_at >= coalesce(started_at, acknowledged_at)),
  CHECK (latest_heartbeat_at IS NULL OR latest_heartbeat_at <= heartbeat_floor),
  CHECK (stopped_at IS NULL OR stop_requested_at IS NULL OR stopped_at >= stop_requested_at)
) WITHOUT ROWID;

-- The claim order of what was never delivered: the first entry is the next item.
CREATE INDEX work_ready ON work (environment_id, id)
  WHERE state = 'queued' AND delivered_at IS NULL AND available_at IS NULL;
CREATE INDEX work_delivered ON work (environment_id, delivered_at)
  WHERE state = 'queued' AND delivered_at IS NOT NULL;
CREATE INDEX work_delayed ON work (environment_id, available_at)
  WHERE state = 'queued' AND available_at IS NOT NULL;
CREATE INDEX work_due ON work (sweep_at) WHERE sweep_at IS NOT NULL;
CREATE INDEX work_environment ON work (environment_id, id);
-- At most one live item per session, whatever the code believes.
CREATE UNIQUE INDEX work_live ON work (session_id) WHERE state <> 'stopped';

CREATE TABLE event (
  session_id   TEXT NOT NULL,
  id           TEXT NOT NULL,
  type         TEXT NOT NULL,
  payload      TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  processed_at INTEGER,
  PRIMARY KEY (session_id, id)
);

-- The first result of a tool use wins.
CREATE UNIQUE INDEX event_tool_result ON event (session_id, json_extract(payload, '$.tool_use_id'))
  WHERE type = 'user.tool_result';

CREATE TABLE token (
  id             TEXT PRIMARY KEY,
  name           TEXT NOT NULL,
  role           TEXT NOT NULL CHECK (role IN ('admin', 'client', 'worker')),
  environment_id TEXT,
  hash           TEXT NOT NULL UNIQUE,
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER,
  revoked_at     INTEGER,
  last_used_at   INTEGER,
  CHECK ((role = 'worker') = (environment_id IS NOT NULL))
) WITHOUT ROWID;
