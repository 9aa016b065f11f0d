"""Files that tell whether they are whole: a SHA-256 of what follows, and then that."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dvcview.files.artifacts import write_bytes

DIGEST = hashlib.sha256().digest_size


def write_sealed(path: Path, content: bytes | memoryview) -> None:
    """Write a sealed file, atomically."""
    write_bytes(path, hashlib.sha256(content).digest(), content)


def read_sealed(path: Path) -> bytes | None:
    """What was sealed; None where there is no file, or a damaged one (`path` exists then)."""
    if not path.exists():
        return None
    content = path.read_bytes()
    sealed = content[DIGEST:]
    return sealed if hashlib.sha256(sealed).digest() == content[:DIGEST] else None
