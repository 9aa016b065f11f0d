"""Arrays and data sets as files: memory-mapped, and read without trusting their content."""
