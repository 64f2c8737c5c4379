-- The lake's metadata: who wrote (processes, streams), what was written (batches, segments), and where every block is.
-- Times are UTC nanoseconds, ticks are the process's clock; unsigned 64-bit numbers are stored as two's complement.
-- All of it can be made again from the segments.

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
    insert_time bigint NOT NULL,
    last_update_time bigint NOT NULL,
    last_block_end_ticks bigint,
    last_block_end_time bigint
) WITH (fillfactor = 50);
CREATE INDEX processes_parent ON processes (parent_process_id);
CREATE INDEX processes_start ON processes (start_time);

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

CREATE TABLE segments (
    segment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class smallint NOT NULL,
    key text NOT NULL UNIQUE,
    size bigint NOT NULL,
    insert_time bigint NOT NULL
);

CREATE TABLE batches (
    batch_id uuid PRIMARY KEY,
    process_id uuid NOT NULL,
    insert_time bigint NOT NULL
);

-- One partition per day, made by the server. threads and the arrays after it have one element per thread of the block.
CREATE TABLE blocks (
    insert_day date NOT NULL,
    block_id uuid NOT NULL,
    process_id uuid NOT NULL,
    class smallint NOT NULL,
    sequence bigint NOT NULL,
    batch_id uuid NOT NULL,
    segment_id bigint NOT NULL,
    segment_key text NOT NULL,
    "offset" bigint NOT NULL,
    size bigint NOT NULL,
    header_size integer NOT NULL,
    codec smallint NOT NULL,
    raw_size bigint NOT NULL,
    stored_size bigint NOT NULL,
    begin_ticks bigint NOT NULL,
    end_ticks bigint NOT NULL,
    begin_time bigint NOT NULL,
    end_time bigint NOT NULL,
    events bigint NOT NULL,
    dropped bigint NOT NULL,
    insert_time bigint NOT NULL,
    threads bigint[] NOT NULL,
    thread_events bigint[] NOT NULL,
    thread_first bigint[] NOT NULL,
    thread_begin_ticks bigint[] NOT NULL,
    thread_end_ticks bigint[] NOT NULL,
    thread_begin_time bigint[] NOT NULL,
    thread_end_time bigint[] NOT NULL,
    PRIMARY KEY (insert_day, block_id)
) PARTITION BY RANGE (insert_day);
CREATE INDEX blocks_process ON blocks (process_id, class, begin_time);
CREATE INDEX blocks_time ON blocks (class, begin_time, end_time);
