"""Check DVC's cache: the objects, and the entries of the run cache.

DVC names an object by the MD5 of its content, and an entry of the run cache by the SHA-256 of its
content.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dvcview.errors import first_line
from dvcview.verify.expected import Expected
from dvcview.verify.manifest import Manifest
from dvcview.verify.problem import Problem
from dvcview.verify.repair import Repairs

Entry = Mapping[str, Any]  # the entry of a stage in dvc.lock or in the run cache


def check_objects(expected: Expected, manifest: Manifest, repairs: Repairs) -> Iterator[Problem]:
    """Damaged objects, and missing objects of outs that the workspace has."""
    for name, content in manifest.objects.items():
        if not manifest.has_object(name):
            path = manifest.object_path(name)
            yield Problem(path, f"is damaged: {content}", repairs.object(name))
    present = {
        out for out in expected.outs if not out.in_git and manifest.has_out(out.path, out.md5)
    }
    required = {out.md5: out for out in present}
    required |= {file.md5: file.out for file in expected.files if file.out in present}
    for name, out in required.items():
        if name not in manifest.objects:
            path = manifest.object_path(name)
            what = f"is missing from DVC's cache; it belongs to {out.path}"
            yield Problem(path, what, repairs.commit(out.stage))


def check_runs(
    lock: Mapping[str, Entry], manifest: Manifest, repairs: Repairs
) -> Iterator[Problem]:
    """Entries of the run cache that differ from what DVC wrote."""
    current = {digest(entry): stage for stage, entry in lock.items()}
    entries: dict[Path, Entry] = {}
    for file in manifest.runs:
        try:
            entries[file] = read_run(file)
        except Exception as error:  # parsing a damaged YAML file can raise anything
            what = f"is damaged: {first_line(error)}"
            path = manifest.short(file)
            yield Problem(path, what, repairs.run(path, current.get(file.name)))
    sizes = known_sizes(lock.values(), entries.values(), manifest)
    for file, entry in entries.items():
        for part in _deps_and_outs(entry):
            if sizes[part["md5"]] != _size(part):
                what = f"is damaged: the size or number of files of {part['path']} is wrong"
                path = manifest.short(file)
                yield Problem(path, what, repairs.run(path, current.get(file.name)))
                break


def read_run(file: Path) -> Entry:
    """Read an entry of the run cache and compare it with the hashes in its path.

    Raises:
        ValueError: the content does not match the path, or DVC would format it differently.
    """
    from dvc.utils.serialize import dumps_yaml, loads_yaml

    text = file.read_text(encoding="utf-8")
    entry: Entry = loads_yaml(text)
    if digest(entry) != file.name:
        raise ValueError("its name is not the hash of its content")
    key = {**entry, "outs": [out["path"] for out in entry["outs"]]}
    if digest(key) != file.parent.name:
        raise ValueError("its folder's name is not the hash of its deps and parameters")
    if dumps_yaml(entry) != text:  # the hash does not cover whitespace and comments
        raise ValueError("its format differs from what DVC writes")
    return entry


def digest(entry: Entry) -> str:
    """DVC's hash of an entry, as `dvc.stage.cache` computes it. The MD5s determine the sizes."""
    from dvc.utils import dict_sha256

    return str(dict_sha256(entry, exclude=["size", "nfiles"]))


def known_sizes(
    lock: Iterable[Entry], runs: Iterable[Entry], manifest: Manifest
) -> dict[str, tuple[int | None, int | None]]:
    """The size in bytes and the number of files of each dep and out, by MD5.

    The size of a file that was read takes precedence, then dvc.lock, then the value that most
    entries of the run cache have. A wrong size cannot be detected if only one old entry has the
    MD5.
    """
    votes: dict[str, Counter[tuple[int | None, int | None]]] = defaultdict(Counter)
    for part in (part for run in runs for part in _deps_and_outs(run)):
        votes[part["md5"]][_size(part)] += 1
    sizes = {md5: counts.most_common(1)[0][0] for md5, counts in votes.items()}
    sizes |= {part["md5"]: _size(part) for entry in lock for part in _deps_and_outs(entry)}
    for content in (*manifest.workspace.values(), *manifest.objects.values()):
        if content.md5 in sizes:
            sizes[content.md5] = (content.size, None)
    return sizes


def _deps_and_outs(entry: Entry) -> Iterator[Entry]:
    for part in (*entry.get("deps", ()), *entry.get("outs", ())):
        if "md5" in part:
            yield part


def _size(part: Entry) -> tuple[int | None, int | None]:
    return part.get("size"), part.get("nfiles")
