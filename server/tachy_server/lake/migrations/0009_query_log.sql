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
