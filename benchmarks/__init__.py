"""The lectures' own loops and ours, side by side. `make bench`; benchmarks/README.md says more."""
