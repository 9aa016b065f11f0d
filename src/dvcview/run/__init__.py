"""Runs DVC safely: one run at a time, signals, interrupted writes, and stages as processes."""
