"""A file from a mirror or the network: under its name only when size and checksum are right."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener
from uuid import uuid4

from tqdm import tqdm

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
    """Give the path of a file with known size and checksum; get it first if it is not there.

    Args:
        filename: its name, in `folder` and at the mirror.
        md5: its checksum, in hexadecimal. It guards against broken and foreign files.
        size: in bytes. A source that announces or sends more is cut off at once.
        addresses: public addresses of the file, tried in turn after the mirror.
        folder: where it belongs.
        mirror: a folder or an http(s) address that has the file under the same name, or None.

    Returns:
        `folder / filename`.

    Raises:
        UserError: no source could be reached, or what one gave, or what lay in `folder`, has
            another size or checksum (it is removed, so that the next try starts clean); an
            address is not https, or http on the loopback interface, or has a password in it; the
            mirror is no folder.
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
            "a broken or foreign file, removed; try again to get it anew"
        )

    failures = []
    for source in [*_at_mirror(mirror, filename), *addresses]:
        try:
            _bring(source, path, md5, size)
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures.append(f"{source} ({first_line(error)})")
        else:
            return path
    raise UserError(
        f"{path}: could not be fetched; tried {', '.join(failures) or 'nothing'}. Set DLVC_MIRROR "
        f"to a folder or an address that has {filename}, or choose the data source `bundled`"
    )


def _at_mirror(mirror: str | None, filename: str) -> list[str]:
    """Where a mirror, if there is one, has the file."""
    if not mirror:
        return []
    if "://" in mirror:
        return [f"{mirror.rstrip('/')}/{filename}"]
    if not Path(mirror).is_dir():
        # If `https://` was forgotten, a password may stand before the host.
        shown = mirror.rpartition("@")[2]
        raise UserError(f"DLVC_MIRROR: {shown} is neither a folder nor an http(s) address")
    return [str(Path(mirror) / filename)]


def _bring(source: str, path: Path, md5: str, size: int) -> None:
    """Copy a source to a file beside `path`, check it, and only then give it its name."""
    digest, received = new_md5(), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")  # ours alone
    expected = f"expected {size} bytes with md5 {md5}: a broken or foreign file, not kept"
    try:
        with (
            _open(source) as (stream, length),
            partial.open("xb") as file,
            tqdm(total=size, desc=path.name, unit="B", unit_scale=True, disable=None) as progress,
        ):
            if length is not None and length > size:
                raise UserError(f"{path}: {source} announces {length} bytes, {expected}")
            while chunk := stream.read(min(CHUNK, size + 1 - received)):
                received += len(chunk)
                if received > size:
                    raise UserError(f"{path}: {source} sends more, {expected}")
                file.write(chunk)
                digest.update(chunk)
                progress.update(len(chunk))
        if digest.hexdigest() != md5:
            promised = f" of {length}" if length not in (None, received) else ""
            raise UserError(
                f"{path}: {source} gave {received}{promised} bytes with md5 {digest.hexdigest()}, "
                f"{expected}; try again or another mirror"
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _open(source: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """A stream of a file's content, and its length if known."""
    if "://" not in source:
        if not Path(source).is_file():  # a pipe would keep us waiting for its writer
            raise FileNotFoundError("there is no such file")
        with Path(source).open("rb") as file:
            yield file, Path(source).stat().st_size
        return
    _check_address(source)
    handlers: list[HTTPRedirectHandler | ProxyHandler] = [_CheckedRedirects()]
    if urlsplit(source).hostname in LOOPBACK:
        handlers.append(ProxyHandler({}))  # a proxy has another loopback interface than we
    request = Request(source, headers={"User-Agent": "dlvc"})  # noqa: S310 - just checked
    with build_opener(*handlers).open(request, timeout=TIMEOUT) as response:
        yield response, response.length


def _check_address(address: str) -> None:
    """Refuse what could be read or changed on its way, and what holds a secret."""
    if "@" in address:  # before it is taken apart: an error of that could quote the password
        raise UserError(
            f"{address}: not fetched with a name or password; expected an address without `@`"
        )
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise UserError(
            f"{address}: not fetched from there; expected https://, or http:// on 127.0.0.1"
        )


class _CheckedRedirects(HTTPRedirectHandler):
    """A redirection must not lead to where we would not have gone by ourselves."""

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
