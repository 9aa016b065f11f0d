"""The checks of this course that `dvcview verify` runs: contracts, and the committed metrics."""

from __future__ import annotations

from functools import partial

from dlvc.checks.compare_metrics import check_metrics
from dlvc.checks.contract import check_contracts
from dlvc.checks.contracts import CONTRACTS

CHECKS = (partial(check_contracts, CONTRACTS), check_metrics)
