"""The files of the workspace beside dvc.lock."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from dvcview.verify.expected import Expected, Out
from dvcview.verify.manifest import Inventory
from dvcview.verify.problem import Problem
from dvcview.verify.repair import Repairs


def absent_outs(expected: Expected, inventory: Inventory) -> list[Out]:
    """Outs that this machine does not have: nothing in the workspace, not all in the cache."""
    cached = {out: out not in expected.unlisted for out in expected.outs}
    for file in expected.files:
        cached[file.out] &= inventory.has_object(file.md5)
    return [
        out
        for out in expected.outs
        if not (out.in_git or cached[out] or inventory.is_there(out.path))
    ]


def check_workspace(
    expected: Expected, inventory: Inventory, repairs: Repairs
) -> Iterator[Problem]:
    """Files that differ from dvc.lock, are missing, or too many."""
    absent = set(absent_outs(expected, inventory))
    for file in expected.files:
        found = inventory.workspace.get(file.path)
        if file.out not in absent and (found is None or found.md5 != file.md5):
            what = "is missing" if found is None else f"{found}, in dvc.lock {file.md5}"
            yield Problem(file.path, what, repairs.file(file))
    for out in expected.unlisted:
        if out not in absent:
            what = "differs from dvc.lock, and the cache has lost the list of its files"
            yield Problem(out.path, what, repairs.folder(out))
    yield from _strangers(expected, inventory)


def _strangers(expected: Expected, inventory: Inventory) -> Iterator[Problem]:
    """Files in folders that dvc.lock does not know; of an out that is left out, nothing is said."""
    known = {file.path for file in expected.files}
    listed = tuple(f"{out.path}/" for out in expected.outs if out not in expected.unlisted)
    for path in inventory.workspace:
        if path not in known and path.startswith(listed):
            yield Problem(path, "is not in dvc.lock", f"rm -f {quote(path)}")
