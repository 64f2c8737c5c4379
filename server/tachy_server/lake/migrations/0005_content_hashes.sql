-- What was stored under an id, so that something else under the same id is noticed: XXH64 of a batch's description, and
-- a block's header_hash, which covers its body's. 0: not known.

ALTER TABLE batches ADD COLUMN description_hash bigint NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN hash bigint NOT NULL DEFAULT 0;
