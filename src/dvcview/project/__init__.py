"""What DVC and git know of a project: dvc.yaml, dvc.lock, the cache, experiments."""
