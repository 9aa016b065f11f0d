"""Atomic writes, the same bytes for the same content, and safe reading of untrusted files."""
