"""What was tried to break the pipeline: seeded, each run again by one command."""
