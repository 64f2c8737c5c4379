"""Small blocks merged into large ones; PostgreSQL compared with objects, and made again. Knows base, formats, lake."""
