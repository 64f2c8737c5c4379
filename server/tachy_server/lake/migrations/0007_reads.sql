-- How many streams all blocks of a day have together, which is how many rows the view `blocks` shows of them; kept in
-- several rows, since groups that commit at the same time add to it. And the order in which processes are listed.

CREATE TABLE block_counts (
    insert_day date NOT NULL,
    shard smallint NOT NULL,
    streams bigint NOT NULL,
    PRIMARY KEY (insert_day, shard)
) WITH (fillfactor = 10);
INSERT INTO block_counts SELECT insert_day, 0, sum(cardinality(threads)) FROM blocks GROUP BY insert_day;

CREATE INDEX processes_insert ON processes (insert_time, start_time);
