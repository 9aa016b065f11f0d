"""DVC's cache: each object's name is the md5 of its content, each run's that of what it says."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dvcview.errors import first_line
from dvcview.verify.expected import Expected
from dvcview.verify.manifest import Inventory
from dvcview.verify.problem import Problem
from dvcview.verify.repair import Repairs

Entry = Mapping[str, Any]  # of a stage, as dvc.lock and the run cache have it
NOT_HASHED = ("size", "nfiles")  # DVC leaves them out: they say nothing that the md5 does not


def check_objects(expected: Expected, inventory: Inventory, repairs: Repairs) -> Iterator[Problem]:
    """Objects that are damaged, and those that the cache lacks of outs that are here."""
    for name, content in inventory.objects.items():
        if not inventory.has_object(name):
            path = inventory.object_path(name)
            yield Problem(path, f"is damaged: {content}", repairs.object(name))
    here = {out for out in expected.outs if not out.in_git}
    here = {out for out in here if inventory.has_out(out.path, out.md5)}
    needed = {out.md5: out for out in here}
    needed |= {file.md5: file.out for file in expected.files if file.out in here}
    for name, out in needed.items():
        if name not in inventory.objects:
            path = inventory.object_path(name)
            what = f"is missing in DVC's cache, of {out.path}"
            yield Problem(path, what, repairs.commit(out.stage))


def check_runs(
    lock: Mapping[str, Entry], inventory: Inventory, repairs: Repairs
) -> Iterator[Problem]:
    """Entries of the run cache that are not what DVC wrote."""
    current = {digest(entry): stage for stage, entry in lock.items()}
    entries: dict[Path, Entry] = {}
    for file in inventory.runs:
        try:
            entries[file] = read_run(file)
        except Exception as error:  # what a broken YAML file makes of itself, nobody can foresee
            what = f"is damaged: {first_line(error)}"
            path = inventory.short(file)
            yield Problem(path, what, repairs.run(path, current.get(file.name)))
    known = known_sizes(lock.values(), entries.values(), inventory)
    for file, entry in entries.items():
        for part in _files_of(entry):
            if known[part["md5"]] != _size(part):
                what = f"is damaged: {part['path']} had another size or number of files"
                path = inventory.short(file)
                yield Problem(path, what, repairs.run(path, current.get(file.name)))
                break


def read_run(file: Path) -> Entry:
    """An entry of the run cache, whose path says what it holds.

    Raises:
        ValueError: it holds something else.
    """
    from dvc.utils.serialize import dumps_yaml, loads_yaml

    text = file.read_text(encoding="utf-8")
    entry: Entry = loads_yaml(text)
    if digest(entry) != file.name:
        raise ValueError("its name is not the hash of its content")
    key = {**entry, "outs": [out["path"] for out in entry["outs"]]}
    if digest(key) != file.parent.name:
        raise ValueError("its folder's name is not the hash of its deps and parameters")
    if dumps_yaml(entry) != text:  # a space more, a comment: the hash does not see them
        raise ValueError("not written by DVC as it stands there")
    return entry


def digest(entry: Entry) -> str:
    """DVC's hash of an entry: SHA-256 over sorted JSON, without sizes.

    Source: `dvc.stage.cache._get_cache_hash`, DVC 3.67.

    >>> digest({"cmd": "x", "outs": [{"path": "a", "size": 3}]}) == digest(
    ...     {"outs": [{"path": "a"}], "cmd": "x"}
    ... )
    True
    """
    text = json.dumps(_without_sizes(entry), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_sizes(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: inner for key, inner in value.items() if key not in NOT_HASHED}
        return {key: _without_sizes(inner) for key, inner in kept.items()}
    return [_without_sizes(inner) for inner in value] if isinstance(value, list) else value


def known_sizes(
    lock: Iterable[Entry], runs: Iterable[Entry], inventory: Inventory
) -> dict[str, tuple[int | None, int | None]]:
    """Bytes and number of files by md5: as most runs say, but for dvc.lock and files that are here.

    What only a single run of former days mentions nobody can contradict.
    """
    votes: dict[str, Counter[tuple[int | None, int | None]]] = defaultdict(Counter)
    for part in (part for run in runs for part in _files_of(run)):
        votes[part["md5"]][_size(part)] += 1
    known = {md5: counted.most_common(1)[0][0] for md5, counted in votes.items()}
    known |= {part["md5"]: _size(part) for entry in lock for part in _files_of(entry)}
    for content in (*inventory.workspace.values(), *inventory.objects.values()):
        if content.md5 in known:
            known[content.md5] = (content.size, None)
    return known


def _files_of(entry: Entry) -> Iterator[Entry]:
    for part in (*entry.get("deps", ()), *entry.get("outs", ())):
        if "md5" in part:
            yield part


def _size(part: Entry) -> tuple[int | None, int | None]:
    return part.get("size"), part.get("nfiles")
