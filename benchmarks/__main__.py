"""`make bench`: print the table of benchmarks/table.py.

OpenMP reads its settings when torch is imported. So this module sets them first and imports the
table afterwards, in the same order as a stage.
"""

from __future__ import annotations

from dvcview.run.stage_process import limit_openmp_spinning

if __name__ == "__main__":
    limit_openmp_spinning()
    from benchmarks.table import main

    main()
