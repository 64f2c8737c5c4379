-- What the server wants a process's recorder to do; told with the answers to its batches. One row per process that was
-- ever told something. Times are UTC nanoseconds. Unlike the lake's metadata, this cannot be made again from segments.

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
