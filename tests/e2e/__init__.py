"""Everything together: what the README promises, from programs to SQL and a trace."""
