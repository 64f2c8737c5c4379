"""What SQL sees: views as data, and blocks decoded into their rows. Knows base, formats, lake."""
