"""DVC pipelines in MLflow, and safe to run. Imports nothing of the course."""
