"""Running DVC safely: one run at a time, signals, interrupted writes, a stage as a process."""
