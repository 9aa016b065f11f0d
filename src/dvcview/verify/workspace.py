"""Compare the files of the workspace with dvc.lock."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from dvcview.verify.expected import Expected, Out
from dvcview.verify.manifest import Manifest
from dvcview.verify.problem import Problem
from dvcview.verify.repair import Repairs


def absent_outs(expected: Expected, manifest: Manifest) -> list[Out]:
    """DVC's outs that are not in the workspace, and not or only partly in the cache."""
    is_cached = {out: out not in expected.unlisted for out in expected.outs}
    for file in expected.files:
        is_cached[file.out] &= manifest.has_object(file.md5)
    return [
        out
        for out in expected.outs
        if not (out.in_git or is_cached[out] or manifest.is_there(out.path))
    ]


def check_workspace(expected: Expected, manifest: Manifest, repairs: Repairs) -> Iterator[Problem]:
    """Files that differ from dvc.lock, missing files, and unexpected files in folders."""
    absent = set(absent_outs(expected, manifest))
    for file in expected.files:
        content = manifest.workspace.get(file.path)
        if file.out not in absent and (content is None or content.md5 != file.md5):
            differs = f"{content}; {_record(file.out)} records {file.md5}"
            what = "is missing" if content is None else differs
            yield Problem(file.path, what, repairs.file(file))
    for out in expected.unlisted:
        if out not in absent:
            what = "differs from dvc.lock, and DVC's cache has no intact list of its files"
            yield Problem(out.path, what, repairs.folder(out))
    yield from _unexpected_files(expected, manifest)


def _record(out: Out) -> str:
    return out.stage if out.stage.endswith(".dvc") else "dvc.lock"


def _unexpected_files(expected: Expected, manifest: Manifest) -> Iterator[Problem]:
    """Files in the folders of `expected` that are not in dvc.lock; unlisted folders are skipped."""
    known = {file.path for file in expected.files}
    folders = tuple(f"{out.path}/" for out in expected.outs if out not in expected.unlisted)
    for path in manifest.workspace:
        if path not in known and path.startswith(folders):
            yield Problem(path, "is not in dvc.lock", f"rm -f {quote(path)}")
