"""A file from a mirror or the public network: under its name only when its checksum is right."""

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

from dlvc.errors import UserError

TIMEOUT = 10.0  # seconds without an answer
CHUNK = 1 << 18  # bytes
LOOPBACK = ("127.0.0.1", "localhost", "::1")
new_md5 = partial(hashlib.md5, usedforsecurity=False)


def fetch(
    filename: str, md5: str, addresses: Sequence[str], folder: Path, *, mirror: str | None
) -> Path:
    """Give the path of a file with a known checksum; get it first if it is not there.

    Args:
        filename: its name, in `folder` and at the mirror.
        md5: its checksum, in hexadecimal. It guards against broken and foreign files.
        addresses: public addresses of the file, tried in turn after the mirror.
        folder: where it belongs.
        mirror: a folder or an http(s) address that has the file under the same name, or None.

    Returns:
        `folder / filename`.

    Raises:
        UserError: no source could be reached, or what one gave, or what lay in `folder`, has
            another checksum (it is removed, so that the next try starts clean); an address is
            not https, or http on the loopback interface; the mirror is no folder.
    """
    path = folder / filename
    if path.is_file():
        with path.open("rb") as file:
            found = hashlib.file_digest(file, new_md5).hexdigest()
        if found == md5:
            return path
        size = path.stat().st_size
        path.unlink()
        raise UserError(
            f"{path}: md5 {found} ({size} bytes), expected {md5}: "
            "a broken or foreign file, removed; try again to get it anew"
        )

    failures = []
    for source in [*_at_mirror(mirror, filename), *addresses]:
        try:
            _bring(source, path, md5)
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures.append(f"{source} ({error})")
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
        raise UserError(f"DLVC_MIRROR: {mirror} is neither a folder nor an http(s) address")
    return [str(Path(mirror) / filename)]


def _bring(source: str, path: Path, md5: str) -> None:
    """Copy a source to a file beside `path`, check it, and only then give it its name."""
    digest, size = new_md5(), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")  # ours alone
    try:
        with (
            _open(source) as (stream, length),
            partial.open("xb") as file,
            tqdm(total=length, desc=path.name, unit="B", unit_scale=True, disable=None) as progress,
        ):
            while chunk := stream.read(CHUNK):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                progress.update(len(chunk))
        if digest.hexdigest() != md5:
            promised = f" of {length}" if length not in (None, size) else ""
            raise UserError(
                f"{path}: {source} gave {size}{promised} bytes with md5 {digest.hexdigest()}, "
                f"expected {md5}: a broken or foreign file, not kept; try again or another mirror"
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _open(source: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """A stream of a file's content, and its length if known."""
    if "://" not in source:
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
    """Refuse what could be read or changed on its way."""
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
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
