-- schema.sql: tables of many boxes, for earshot-to-postgres. PostgreSQL 13 or newer: psql -d fleet -f schema.sql (twice does no harm).

-- An event as it was told: start, update and end of one sound share event_id. id is one message's own, so that a repeat is the same row.
CREATE TABLE IF NOT EXISTS event (
    id          uuid PRIMARY KEY,
    node        text NOT NULL,
    event_type  text NOT NULL CHECK (event_type IN ('start', 'update', 'end')),
    event_id    uuid NOT NULL,
    sound_id    uuid NOT NULL,
    label       text NOT NULL,
    score       real NOT NULL,
    start_time  timestamptz NOT NULL,
    end_time    timestamptz,
    duration_s  double precision,
    peak_dbfs   real,
    rms_dbfs    real,
    source      text,
    model       text,
    clip        text,
    lost_frames bigint NOT NULL DEFAULT 0,
    late        boolean NOT NULL,
    test        boolean NOT NULL,
    received    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS event_start ON event (start_time);
CREATE INDEX IF NOT EXISTS event_label ON event (label, start_time);
CREATE INDEX IF NOT EXISTS event_node ON event (node, start_time);

-- One row a sound: what counts are made of. Real sounds alone.
CREATE OR REPLACE VIEW sound AS
    SELECT DISTINCT ON (event_id) event_id, node, label, score, start_time, end_time, duration_s, peak_dbfs, rms_dbfs
    FROM event WHERE NOT test
    ORDER BY event_id, coalesce(end_time, start_time) DESC, event_type = 'end' DESC;

CREATE TABLE IF NOT EXISTS level (
    node text NOT NULL,
    time timestamptz NOT NULL,
    laeq real, lafmax real, lcpeak real, l10 real, l50 real, l90 real,
    calibrated boolean,
    PRIMARY KEY (node, time)
);

-- The latest of each box
CREATE TABLE IF NOT EXISTS box (
    node    text PRIMARY KEY,
    status  text,
    changed timestamptz,
    health  jsonb,
    time    timestamptz
);

-- Where TimescaleDB is installed, levels and events can be hypertables (event's primary key has to become (id, start_time) then):
--   SELECT create_hypertable('level', 'time', migrate_data => true);
