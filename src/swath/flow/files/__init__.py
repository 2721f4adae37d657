"""From row parts to files in every format, and to a few rows for looking."""
