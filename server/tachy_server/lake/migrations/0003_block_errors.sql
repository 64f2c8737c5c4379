-- Blocks that could not be read when a query needed them, and why; gone again when one reads well. Unlike the lake's
-- metadata, this is made again by whoever reads them.

CREATE TABLE block_errors (
    block_id uuid PRIMARY KEY,
    process_id uuid NOT NULL,
    class smallint NOT NULL,
    reason text NOT NULL,
    since bigint NOT NULL
);
