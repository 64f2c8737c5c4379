"""From a request's body to a durable, visible batch. Knows base, formats, lake."""
