"""params.yaml as typed values: its schema, its reader, and overrides."""
