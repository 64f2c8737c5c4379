"""What every room uses: errors, settings, times, sizes. Knows no other room."""
