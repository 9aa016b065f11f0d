"""Reads a project: its configuration, parameters, dvc.lock, DVC's cache and processes, and git."""
