"""Download a file, and keep it only if its size and checksum are correct."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener
from uuid import uuid4

from dvcview.console import progress_bar
from dvcview.errors import UserError, first_line

TIMEOUT = 10.0  # seconds without an answer
CHUNK = 1 << 18  # bytes
LOOPBACK = ("127.0.0.1", "localhost", "::1")
new_md5 = partial(hashlib.md5, usedforsecurity=False)


def fetch(
    filename: str,
    md5: str,
    size: int,
    addresses: Sequence[str],
    folder: Path,
    *,
    mirror: str | None,
) -> Path:
    """Return the path of a file with a known size and checksum; downloads it if it is missing.

    Args:
        filename: the name of the file, in `folder` and at the mirror.
        md5: the MD5 in hexadecimal, to detect damaged and wrong files.
        size: in bytes. If a source announces or sends more, the download stops at once.
        addresses: public addresses of the file, tried in this order after the mirror.
        folder: the folder for the file.
        mirror: a folder or an http(s) address that has the file under the same name, or None.

    Returns:
        `folder / filename`.

    Raises:
        UserError: no source can be reached, the file has another size or checksum, an address
            contains a password, an address is neither https nor http on the loopback interface, or
            the mirror is not a folder. A file with another size or checksum is removed, so that
            the next attempt starts clean.
    """
    path = folder / filename
    if path.is_file():
        with path.open("rb") as file:
            found = hashlib.file_digest(file, new_md5).hexdigest()
        if found == md5:
            return path
        found_size = path.stat().st_size
        path.unlink()
        raise UserError(
            f"{path}: md5 {found} ({found_size} bytes), expected {md5} ({size} bytes): "
            "the file was damaged or wrong and has been removed; try again to download it"
        )

    failures = []
    for source in [*_mirror_sources(mirror, filename), *addresses]:
        try:
            _download(source, path, md5, size)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, HTTPError):
                error.close()
            failures.append(f"{source} ({first_line(error)})")
        else:
            return path
    raise UserError(
        f"{path}: could not be fetched; tried {', '.join(failures) or 'nothing'}. Set DLVC_MIRROR "
        f"to a folder or an address that has {filename}, or choose the data source `bundled`"
    )


def _mirror_sources(mirror: str | None, filename: str) -> list[str]:
    """The path or address of the file at the mirror; empty without a mirror."""
    if not mirror:
        return []
    if "://" in mirror:
        return [f"{mirror.rstrip('/')}/{filename}"]
    if not Path(mirror).is_dir():
        # If `https://` is missing, the text before the host may be a password.
        shown = mirror.rpartition("@")[2]
        raise UserError(f"DLVC_MIRROR: {shown} is neither a folder nor an http(s) address")
    return [str(Path(mirror) / filename)]


def _download(source: str, path: Path, md5: str, size: int) -> None:
    """Copy a source to a temporary file beside `path`, check it, and rename it to `path`."""
    digest, received = new_md5(), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    expected = (
        f"expected {size} bytes with md5 {md5}: the file is damaged or wrong and was not kept"
    )
    try:
        with (
            _open(source) as (stream, length),
            temporary.open("xb") as file,
            progress_bar(total=size, desc=path.name, unit="B", unit_scale=True) as progress,
        ):
            if length is not None and length > size:
                raise UserError(f"{path}: {source} announces {length} bytes, {expected}")
            while chunk := stream.read(min(CHUNK, size + 1 - received)):
                received += len(chunk)
                if received > size:
                    raise UserError(f"{path}: {source} sends too many bytes, {expected}")
                file.write(chunk)
                digest.update(chunk)
                progress.update(len(chunk))
        if digest.hexdigest() != md5:
            of_length = f" of {length}" if length not in (None, received) else ""
            raise UserError(
                f"{path}: {source} sent {received}{of_length} bytes with md5 {digest.hexdigest()}, "
                f"{expected}; try again or use another mirror"
            )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _open(source: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """Open a source; yields a stream of its content, and its length if known."""
    if "://" not in source:
        if not Path(source).is_file():  # opening a pipe would wait for its writer
            raise FileNotFoundError("there is no such file")
        with Path(source).open("rb") as file:
            yield file, Path(source).stat().st_size
        return
    _check_address(source)
    handlers: list[HTTPRedirectHandler | ProxyHandler] = [_CheckedRedirects()]
    if urlsplit(source).hostname in LOOPBACK:
        handlers.append(ProxyHandler({}))  # a proxy would use its own loopback interface
    request = Request(source, headers={"User-Agent": "dlvc"})  # noqa: S310 - checked above
    with build_opener(*handlers).open(request, timeout=TIMEOUT) as response:
        yield response, response.length


def _check_address(address: str) -> None:
    """Raise an error for an address that holds a password or is neither https nor loopback."""
    if "@" in address:  # first, because an error of urlsplit could quote the password
        raise UserError(
            f"{address}: must not contain a user name or password; expected an address without `@`"
        )
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise UserError(
            f"{address}: the connection is not secure; expected https://, or http:// on 127.0.0.1"
        )


class _CheckedRedirects(HTTPRedirectHandler):
    """Follows a redirection only if `_check_address` accepts the new address."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> Request | None:
        try:
            _check_address(newurl)
        except UserError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)
