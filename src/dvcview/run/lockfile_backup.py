"""What is kept in `.dlvc` so that a run that was cut off can go on."""

from __future__ import annotations

import re
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dvcview.files.artifacts import write_bytes

LOCK = Path("dvc.lock")
WHOLE_LOCK = Path(".dlvc/dvc.lock.whole")
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
CHECKPOINTS = Path(".dlvc/checkpoints")
COMPLETE = ".complete.pt"  # of a training that has ended, until DVC knows its result


def keep_lock() -> None:
    """Keep dvc.lock as it is now. DVC writes it in place: a kill in between leaves a part of it."""
    text = LOCK.read_bytes() if LOCK.exists() else b""
    if is_whole(text) and (not WHOLE_LOCK.exists() or WHOLE_LOCK.read_bytes() != text):
        write_bytes(WHOLE_LOCK, text)


def is_whole(text: bytes) -> bool:
    """Whether this is a dvc.lock that DVC can read."""
    try:
        content = YAML(typ="safe").load(text)
    except (YAMLError, ValueError):
        return False
    match content:
        case {"schema": str(), "stages": {**stages}}:
            return all(_is_whole_entry(entry) for entry in stages.values())
    return False


def _is_whole_entry(entry: object) -> bool:
    """Of what is cut off in the middle of an entry, YAML often makes an empty value, or a text; of
    half an md5 now and then a number: 3e11970235 is one."""
    match entry:
        case {"cmd": str(), "deps": [*deps], "outs": [*outs]}:
            return all(map(_is_whole_file, [*deps, *outs]))
    return False


def _is_whole_file(file: object) -> bool:
    match file:
        case {"path": str(), "md5": str(md5), **others}:
            return bool(MD5.fullmatch(md5)) and None not in others.values()
    return False


def forget_complete() -> None:
    """Delete the checkpoints of trainings whose results are in dvc.lock."""
    for path in CHECKPOINTS.glob(f"*{COMPLETE}"):
        path.unlink(missing_ok=True)
        lock_of(path).unlink(missing_ok=True)


def lock_of(checkpoint: Path) -> Path:
    """The file that the process holds whose checkpoint it is, complete or not.

    >>> lock_of(Path("lenet-0123.complete.pt"))
    PosixPath('lenet-0123.lock')
    """
    return checkpoint.with_name(f"{checkpoint.name.partition('.')[0]}.lock")
