-- What a key stamps on the processes that it sends (properties), and the only processes that it may see: for each
-- property the values that they may have; null: all processes. A process keeps the stamp that it first came with.

ALTER TABLE keys ADD COLUMN stamp jsonb NOT NULL DEFAULT '{}', ADD COLUMN only_with jsonb;
ALTER TABLE processes ADD COLUMN stamp jsonb NOT NULL DEFAULT '{}';

-- Limits ask for processes with a property: 1 ms instead of 25, of 100,000 processes.
CREATE INDEX processes_properties ON processes USING gin (properties jsonb_path_ops);
