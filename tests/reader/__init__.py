"""The reader against the model: what blocks decode to, what bad bytes are answered with."""
