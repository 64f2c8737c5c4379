-- The times that the blocks of each day's partition lie between, rounded outwards, so that a query looks only into the
-- days that can have something for it.

CREATE TABLE block_days (
    insert_day date PRIMARY KEY,
    begin_time bigint NOT NULL,
    end_time bigint NOT NULL
);
INSERT INTO block_days SELECT insert_day, min(begin_time), max(end_time) FROM blocks GROUP BY insert_day;
