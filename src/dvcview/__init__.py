"""Runs DVC pipelines safely, shows them in MLflow, and verifies their files.

Imports nothing of the course.
"""
