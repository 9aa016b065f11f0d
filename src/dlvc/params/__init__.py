"""params.yaml as typed values: the schema, the reader, and overrides."""
