-- Times are UTC nanoseconds, ticks are a process's clock; unsigned 64-bit numbers are stored as two's complement.

-- The lake: who wrote (processes, streams), and what was written (segments). All of it, but for what other tables than
-- these three, `block_counts` and `block_days` hold, can be made again from the segments.

-- insert_time and last_update_time enclose the times at which its blocks came. `stamp` is what the key of its sender
-- puts on it: properties that it keeps. Of each class the sequence numbers that are stored, which is how a block that
-- comes again is known. `version` is of segment_numbers: of two states of a row the later one has the greater.
CREATE SEQUENCE segment_numbers;
CREATE TABLE processes (
    process_id uuid PRIMARY KEY,
    parent_process_id uuid,
    exe text NOT NULL,
    username text NOT NULL,
    realname text NOT NULL,
    computer text NOT NULL,
    distro text NOT NULL,
    cpu_brand text NOT NULL,
    tsc_frequency bigint NOT NULL,
    start_time bigint NOT NULL,
    start_ticks bigint NOT NULL,
    clock text NOT NULL,
    sdk text NOT NULL,
    state text NOT NULL,
    properties jsonb NOT NULL,
    stamp jsonb NOT NULL DEFAULT '{}',
    insert_time bigint NOT NULL,
    last_update_time bigint NOT NULL,
    last_block_end_ticks bigint,
    last_block_end_time bigint,
    last_span_block_end_time bigint,
    log_blocks int8multirange NOT NULL DEFAULT '{}',
    metric_blocks int8multirange NOT NULL DEFAULT '{}',
    span_blocks int8multirange NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT nextval('segment_numbers')
) WITH (fillfactor = 50);
CREATE INDEX processes_parent ON processes (parent_process_id);
CREATE INDEX processes_start ON processes (start_time);
CREATE INDEX processes_insert ON processes (insert_time, start_time);
-- Limits of keys ask for processes with a property: 1 ms instead of 25, of 100,000 processes.
CREATE INDEX processes_properties ON processes USING gin (properties jsonb_path_ops);

CREATE TABLE streams (
    stream_id uuid PRIMARY KEY,
    process_id uuid NOT NULL,
    class smallint NOT NULL,
    thread bigint NOT NULL,
    thread_name text NOT NULL,
    os_id bigint NOT NULL,
    insert_time bigint NOT NULL,
    last_update_time bigint NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX streams_process ON streams (process_id);

-- One row per object; block_index says where its blocks are and what their heads say (docs/format.md, "Segments").
-- begin_time and end_time are those of its events; without any, it ends before it begins. `processes` has the first
-- four bytes of the id of each process in it; level is 0 as it came, 1 to 3 when its blocks were merged; `covered` has
-- the ids of the materialized views whose files have its events. `classes` has 1 where blocks of logs are in it, 2 of
-- metrics, 4 of spans; what was merged twice has those of one. `keep`: it stays so many days, whatever its class. One
-- partition per day on which they were inserted, made by the server.
CREATE TABLE segments (
    insert_day date NOT NULL,
    key text NOT NULL,
    size bigint NOT NULL,
    insert_time bigint NOT NULL,
    begin_time bigint NOT NULL,
    end_time bigint NOT NULL,
    processes integer[] NOT NULL,
    block_index bytea NOT NULL,
    level smallint NOT NULL DEFAULT 0,
    covered bigint[] NOT NULL DEFAULT '{}',
    classes smallint NOT NULL,
    keep integer,
    PRIMARY KEY (insert_day, key)
) PARTITION BY RANGE (insert_day);
CREATE INDEX segments_time ON segments (end_time, begin_time);
CREATE INDEX segments_level ON segments (level, insert_time);

-- The last day of which the blocks of a class (1, 2, 3) have been dropped, since their life was over.
CREATE TABLE expired (
    class smallint PRIMARY KEY,
    last_day date NOT NULL
);

-- Objects that have been replaced, and until when queries may still read them.
CREATE TABLE removals (
    key text PRIMARY KEY,
    after bigint NOT NULL
);

-- How many streams all blocks of a day have together, which is how many rows the view `blocks` shows of them; kept in
-- several rows, since groups that commit at the same time add to it.
CREATE TABLE block_counts (
    insert_day date NOT NULL,
    shard smallint NOT NULL,
    streams bigint NOT NULL,
    PRIMARY KEY (insert_day, shard)
) WITH (fillfactor = 10);

-- The times that the blocks of each day's partition lie between, rounded outwards, so that a query looks only into the
-- days that can have something for it.
CREATE TABLE block_days (
    insert_day date PRIMARY KEY,
    begin_time bigint NOT NULL,
    end_time bigint NOT NULL
);

-- Materialized views that have files; `table_id` is the catalog's, `class` that of the events it is made of. `definition`
-- is the statement that made it. Those that users make cannot be made again; files are, from the segments.
CREATE TABLE materialized_views (
    name text PRIMARY KEY,
    table_id bigint NOT NULL UNIQUE,
    class smallint NOT NULL,
    definition text NOT NULL,
    created bigint NOT NULL,
    created_by text NOT NULL
);

-- Blocks that could not be read when a query needed them, and why; gone again when one reads well. Made again by
-- whoever reads them.
CREATE TABLE block_errors (
    block_id uuid PRIMARY KEY,
    process_id uuid NOT NULL,
    class smallint NOT NULL,
    reason text NOT NULL,
    since bigint NOT NULL
);

-- What the server wants a process's recorder to do; told with the answers to its batches. One row per process that was
-- ever told something. Cannot be made again.
CREATE TABLE controls (
    process_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    settings jsonb NOT NULL,
    expires bigint,
    mark text,
    mark_time bigint
);

-- Processes whose events somebody asks for, until that time; the nil UUID: of all of them. What a crash takes of it
-- comes back with the next query.
CREATE UNLOGGED TABLE watched (
    process_id uuid PRIMARY KEY,
    until bigint NOT NULL
);

-- Keys of clients. key_id is public; of the key itself there is its SHA-256. `stamp`: properties of the processes that
-- it sends; `only_with`: for each property the values that the processes must have which it may see, null: all. Rows
-- stay when they are revoked: a server without rows asks nobody for a key. Cannot be made again.
CREATE TABLE keys (
    key_id text PRIMARY KEY,
    name text NOT NULL,
    hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created bigint NOT NULL,
    expires bigint,
    revoked bigint,
    last_used bigint,
    stamp jsonb NOT NULL DEFAULT '{}',
    only_with jsonb
);

-- Queries for processes, and times of them, whose blocks are kept for `days` when their classes are over; each was asked
-- for what was inserted until `seen`. What they said is in `kept`. Cannot be made again.
CREATE TABLE keep_rules (
    name text PRIMARY KEY,
    days integer NOT NULL,
    sql text NOT NULL,
    created bigint NOT NULL,
    created_by text NOT NULL,
    seen bigint NOT NULL DEFAULT 0
);
CREATE TABLE kept (
    rule text NOT NULL REFERENCES keep_rules ON DELETE CASCADE,
    process_id uuid NOT NULL,
    begin_time bigint NOT NULL,
    end_time bigint NOT NULL,
    PRIMARY KEY (process_id, rule, begin_time, end_time)
);
CREATE INDEX kept_rule ON kept (rule);

-- Conditions over how queries came: where one is true the query is refused, and its client told the reason. Cannot be
-- made again.
CREATE TABLE query_denials (
    rule_id uuid PRIMARY KEY,
    created bigint NOT NULL,
    created_by text NOT NULL,
    reason text NOT NULL,
    match_expr text NOT NULL,
    last_hit bigint
);

-- Queries and traces that have ended, and how. Old rows are deleted by the server that writes here.
CREATE TABLE query_log (
    begin_time bigint NOT NULL,
    end_time bigint NOT NULL,
    who text NOT NULL,
    sql text NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    blocks bigint NOT NULL,
    memory bigint NOT NULL,
    worker integer NOT NULL,
    outcome text NOT NULL,
    error text NOT NULL
);
CREATE INDEX query_log_begin_time ON query_log (begin_time);
