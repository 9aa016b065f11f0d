"""Files: written atomically, the same bytes for the same content, read without trust."""
