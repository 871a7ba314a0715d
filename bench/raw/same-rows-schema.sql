-- In Capstan's own schema: an environment, and numbers for ids.
CREATE SEQUENCE capstan.raw_id CACHE 100;
CREATE FUNCTION capstan.raw_id(prefix text) RETURNS text LANGUAGE sql VOLATILE AS
  $$ SELECT prefix || lpad(to_hex(nextval('capstan.raw_id')), 32, '0') $$;
CREATE FUNCTION capstan.micros() RETURNS bigint LANGUAGE sql STABLE AS
  $$ SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint $$;
INSERT INTO capstan.environment (id, name, description, config, self_hosted, max_attempts, drain_seconds, start_seconds, metadata, created_at, updated_at)
  VALUES ('env_1', 'raw', '', '{"type":"self_hosted"}', true, 5, 600, 60, '{}', 0, 0);
