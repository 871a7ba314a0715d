-- breaking: yes
-- Instants are microseconds since the Unix epoch. Ids are text whose byte order is creation order.
-- JSON is kept as `json`, not `jsonb`: callers get back what they sent, key order and numbers included.

CREATE TABLE environment (
  id            text COLLATE "C" PRIMARY KEY,
  name          text NOT NULL,
  description   text NOT NULL,
  config        json NOT NULL,
  self_hosted   boolean NOT NULL,
  max_attempts  bigint NOT NULL CHECK (max_attempts >= 0),
  drain_seconds bigint NOT NULL CHECK (drain_seconds > 0),
  start_seconds bigint NOT NULL CHECK (start_seconds > 0),
  metadata      json NOT NULL,
  archived_at   bigint,
  created_at    bigint NOT NULL,
  updated_at    bigint NOT NULL,
  deleted_at    bigint
);

CREATE INDEX environment_deleted ON environment (id) WHERE deleted_at IS NOT NULL;

CREATE TABLE agent (
  id          text COLLATE "C" PRIMARY KEY,
  version     bigint NOT NULL CHECK (version > 0),
  fields      json NOT NULL,
  metadata    json NOT NULL,
  created_at  bigint NOT NULL,
  updated_at  bigint NOT NULL,
  archived_at bigint,
  deleted_at  bigint
);

CREATE INDEX agent_deleted ON agent (id) WHERE deleted_at IS NOT NULL;

-- Every version that an agent ever had, the newest included.
CREATE TABLE agent_version (
  id         text COLLATE "C" NOT NULL,
  version    bigint NOT NULL,
  fields     json NOT NULL,
  metadata   json NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  PRIMARY KEY (id, version)
);

-- Keys of this installation that no caller ever sees.
CREATE TABLE secret (
  name  text PRIMARY KEY,
  value text NOT NULL
);

CREATE TABLE session (
  id                  text COLLATE "C" PRIMARY KEY,
  environment_id      text COLLATE "C" NOT NULL,
  agent               json,
  agent_id            text COLLATE "C",
  title               text,
  metadata            json NOT NULL,
  status              text NOT NULL CHECK (status IN ('idle', 'running', 'rescheduling', 'terminated')),
  live_work_id        text COLLATE "C",
  last_event_id       text COLLATE "C",
  last_input_id       text COLLATE "C",
  last_agent_event_id text COLLATE "C",
  processed_through   text COLLATE "C",
  cancelled_through   text COLLATE "C",
  active_micros       bigint NOT NULL,
  active_since        bigint,
  archived_at         bigint,
  created_at          bigint NOT NULL,
  updated_at          bigint NOT NULL,
  deleted_at          bigint,
  CHECK (live_work_id IS NULL OR (archived_at IS NULL AND deleted_at IS NULL)),
  CHECK ((status = 'running') = (active_since IS NOT NULL)),
  CHECK (status <> 'terminated' OR archived_at IS NOT NULL)
) WITH (fillfactor = 80);

CREATE INDEX session_environment ON session (environment_id, id) WHERE deleted_at IS NULL;
CREATE INDEX session_agent ON session (agent_id, id) WHERE deleted_at IS NULL AND agent_id IS NOT NULL;
CREATE INDEX session_deleted ON session (id) WHERE deleted_at IS NOT NULL;

-- Items are in one of two parts: `work_current`, which the queue works on and which stays small, and `work_retired`, where
-- stopped items go after a while. Whoever asks for an item by id or for a list asks `work` and need not know.
CREATE TABLE work (
  id                  text COLLATE "C" NOT NULL,
  environment_id      text COLLATE "C" NOT NULL,
  session_id          text COLLATE "C" NOT NULL,
  created_at          bigint NOT NULL,
  hand_out            bigint NOT NULL,
  attempts            bigint NOT NULL,
  heartbeat_floor     bigint NOT NULL,
  acknowledged_at     bigint,
  started_at          bigint,
  latest_heartbeat_at bigint,
  stop_requested_at   bigint,
  stopped_at          bigint,
  delivered_at        bigint,
  available_at        bigint,
  deadline_at         bigint,
  sweep_at            bigint,
  beat_replaced       bigint,
  beat_ttl_seconds    bigint,
  beat_stopping       boolean,
  retired             boolean NOT NULL DEFAULT false,
  state               text NOT NULL,
  delivered_to        text,
  holder              text,
  former_holder       text,
  beat_key            text,
  acked_through       text COLLATE "C",
  processed_through   text COLLATE "C",
  metadata            json NOT NULL,
  -- The place in line of an item that was never delivered, else null. It is a column of its own so that the claim can be
  -- read from one index only, whatever the planner believes about a table that nobody has analyzed.
  queue_key           text COLLATE "C" GENERATED ALWAYS AS (
    CASE WHEN state = 'queued' AND delivered_at IS NULL AND available_at IS NULL THEN environment_id || id END) STORED,
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
    ELSE false END),
  CHECK (state = 'queued' OR (delivered_at IS NULL AND delivered_to IS NULL AND available_at IS NULL)),
  CHECK (delivered_at IS NULL OR available_at IS NULL),
  CHECK (sweep_at IS NULL OR sweep_at <= deadline_at),
  CHECK (acknowledged_at IS NULL OR acknowledged_at >= created_at),
  CHECK (started_at IS NULL OR started_at >= acknowledged_at),
  CHECK (latest_heartbeat_at IS NULL OR latest_heartbeat_at >= coalesce(started_at, acknowledged_at)),
  CHECK (latest_heartbeat_at IS NULL OR latest_heartbeat_at <= heartbeat_floor),
  CHECK (stopped_at IS NULL OR stop_requested_at IS NULL OR stopped_at >= stop_requested_at),
  CHECK (NOT retired OR state = 'stopped')
) PARTITION BY LIST (retired);

-- An item is updated four times within seconds: room in the page keeps heartbeats from touching any index, and vacuum has
-- to come by the number of changes, because the table stays small while its turnover does not.
CREATE TABLE work_current PARTITION OF work (PRIMARY KEY (id)) FOR VALUES IN (false) WITH (
  fillfactor = 60,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0.1,
  autovacuum_analyze_threshold = 5000
);

CREATE TABLE work_retired PARTITION OF work (PRIMARY KEY (id)) FOR VALUES IN (true);

-- No index below names `state`, not even in its condition: a heartbeat that makes an item active changes no index either.

-- The claim order of what was never delivered: the first entry of an environment is its next item.
CREATE INDEX work_ready ON work_current (queue_key) WHERE queue_key IS NOT NULL;
CREATE INDEX work_delivered ON work_current (environment_id, delivered_at) WHERE delivered_at IS NOT NULL;
CREATE INDEX work_delayed ON work_current (environment_id, available_at) WHERE available_at IS NOT NULL;
CREATE INDEX work_due ON work_current (sweep_at) WHERE sweep_at IS NOT NULL;
-- At most one live item per session, whatever the code believes.
CREATE UNIQUE INDEX work_live ON work_current (session_id) WHERE stopped_at IS NULL;
CREATE INDEX work_finished ON work_current (stopped_at) WHERE stopped_at IS NOT NULL;
-- For lists. Its collation orders like "C" and is another one by name, so that no statement of the queue can be planned
-- over all items of an environment: only one that asks for this collation can use it.
CREATE INDEX work_listed ON work_current (environment_id COLLATE "POSIX", id);
CREATE INDEX work_retired_listed ON work_retired (environment_id COLLATE "POSIX", id);

CREATE TABLE event (
  session_id   text COLLATE "C" NOT NULL,
  id           text COLLATE "C" NOT NULL,
  created_at   bigint NOT NULL,
  processed_at bigint,
  type         text NOT NULL,
  tool_use_id  text,
  payload      json NOT NULL,
  PRIMARY KEY (session_id, id)
) WITH (fillfactor = 95);

-- The first result of a tool use wins.
CREATE UNIQUE INDEX event_tool_result ON event (session_id, tool_use_id) WHERE type = 'user.tool_result';

CREATE TABLE token (
  id             text COLLATE "C" PRIMARY KEY,
  name           text NOT NULL,
  role           text NOT NULL CHECK (role IN ('admin', 'client', 'worker')),
  environment_id text COLLATE "C",
  hash           text NOT NULL UNIQUE,
  created_at     bigint NOT NULL,
  expires_at     bigint,
  revoked_at     bigint,
  last_used_at   bigint,
  CHECK ((role = 'worker') = (environment_id IS NOT NULL))
);

-- Who polled when, as far as every server has to know it. Losing it in a crash costs half a minute of a statistic.
CREATE UNLOGGED TABLE poller (
  environment_id text COLLATE "C" NOT NULL,
  worker_id      text COLLATE "C" NOT NULL,
  polled_at      bigint NOT NULL,
  PRIMARY KEY (environment_id, worker_id)
) WITH (fillfactor = 50);
