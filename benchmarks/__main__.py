"""`make bench`: print the table of benchmarks/table.py.

OpenMP reads its settings when torch is imported, so they are set first, as every stage sets them.
"""

from __future__ import annotations

from dlvc.process import limit_openmp_spinning

if __name__ == "__main__":
    limit_openmp_spinning()
    from benchmarks.table import main

    main()
