-- Keys of clients. key_id is public; of the key itself there is its SHA-256. Times are UTC nanoseconds. Rows stay when
-- they are revoked: a server without rows asks nobody for a key. Cannot be made again from segments.

CREATE TABLE keys (
    key_id text PRIMARY KEY,
    name text NOT NULL,
    hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created bigint NOT NULL,
    expires bigint,
    revoked bigint,
    last_used bigint
);
