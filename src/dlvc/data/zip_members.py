"""Read the members of a .zip from an unknown source, without unpacking it to disk."""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from dvcview.errors import UserError, first_line

LARGEST_FILE = 200_000_000  # bytes after unpacking; more could fill the memory
MOST_MEMBERS = 1_000_000
MOST_UNPACKED = 100  # times the size of the .zip; pictures are already compressed
METHODS = (ZIP_STORED, ZIP_DEFLATED)  # zipfile unpacks other methods without a memory limit
MARKED_AS_UTF8 = 0x800  # a bit of a member's flags
UNICODE_PATH = 0x7075  # an extra field: version 1, CRC of the name, the name in UTF-8


def members_of(archive: ZipFile, path: Path) -> dict[str, ZipInfo]:
    """The members of a .zip by name.

    Raises:
        UserError: a member is unsafe, or there are too many members or bytes.
    """
    members = archive.infolist()
    by_name: dict[str, ZipInfo] = {}
    for member in members:
        name = decoded_name(member) or member.orig_filename.partition("\0")[0]
        problem = "occurs twice" if name in by_name else _problem(member, name)
        if problem:
            name = member.orig_filename[:200]
            raise UserError(
                f"{path}: member {name!r} {problem}; create the .zip again with plain files only"
            )
        by_name[name] = member
    unpacked = sum(member.file_size for member in members)
    size = path.stat().st_size
    if len(members) > MOST_MEMBERS or unpacked > MOST_UNPACKED * size:
        raise UserError(
            f"{path}: {len(members)} members that unpack to {unpacked} bytes, the limits are "
            f"{MOST_MEMBERS} members and {MOST_UNPACKED} times the {size} bytes of the .zip; "
            "use a folder instead"
        )
    return by_name


def decoded_name(member: ZipInfo) -> str | None:
    """The name of a member, if it was written in Unicode; None if its encoding is unknown.

    A .zip can mark names as UTF-8, or have a name in UTF-8 in an extra field, as WinZip and
    Info-ZIP write it. Many programs, macOS's among them, write UTF-8 without either, and `zipfile`
    then decodes the name as code page 437. Other bytes can be in that code page or in any other
    encoding, such as Shift-JIS. `zipfile` itself reads the extra field from Python 3.12 on.
    """
    is_marked = bool(member.flag_bits & MARKED_AS_UTF8)
    raw = member.orig_filename.encode("utf-8" if is_marked else "cp437", "replace")
    found = _unicode_path(member.extra, raw)
    if found is None and is_marked:
        return member.orig_filename.partition("\0")[0]
    try:
        return found or raw.partition(b"\0")[0].decode("utf-8")
    except UnicodeError:
        return None


def _unicode_path(extra: bytes, name: bytes) -> str | None:
    """The name in the extra field 0x7075, if there is one and it belongs to this name."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        content, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == UNICODE_PATH and content[:5] == struct.pack("<BL", 1, zlib.crc32(name)):
            return content[5:].decode("utf-8", "replace") or None
    return None


def _problem(member: ZipInfo, name: str) -> str | None:
    """Why a member of a .zip is refused; None if it is safe. `name` is its decoded name."""
    if any(
        path.startswith("/") or "\\" in path or ".." in path.split("/")
        for path in (name, member.orig_filename)
    ):
        return "has a path that leads outside the archive or contains a backslash"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a symbolic link"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.compress_type not in METHODS:
        return "uses a compression method other than deflate"
    if member.file_size > LARGEST_FILE:
        return f"unpacks to {member.file_size} bytes, the limit is {LARGEST_FILE}"
    return None


def unpack(path: Path, archive: ZipFile, members: Mapping[str, ZipInfo], name: str) -> IO[bytes]:
    """The content of a member.

    Raises:
        UserError: the member cannot be read, or has another size than the .zip announces.
    """
    member = members[name]
    try:
        with archive.open(member) as file:
            # `archive.read` would unpack everything before it checks the announced size.
            content = file.read(member.file_size)
        if len(content) != member.file_size:
            raise BadZipFile(f"it has {len(content)} bytes and announces {member.file_size}")
    except Exception as error:  # BadZipFile, zlib.error, EOFError, …: a damaged archive
        problem = first_line(error)
        raise UserError(
            f"{path}: member {name!r} is damaged ({problem}); create or download the .zip again"
        ) from None
    return BytesIO(content)
