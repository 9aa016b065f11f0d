"""Figures: arrays in, a matplotlib figure out, and no state between."""
