import hashlib
import os
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tqdm import tqdm

from dlvc.data import fetch as module
from dlvc.data.fetch import fetch
from dvcview.errors import UserError
from tests.dlvc.data.loopback import Server

CONTENT = bytes(range(256)) * 4000  # 1 MB: several chunks
MD5 = hashlib.md5(CONTENT).hexdigest()


def get(folder: Path, *addresses: str, mirror: str | None = None) -> Path:
    return fetch("f.gz", MD5, len(CONTENT), addresses, folder, mirror=mirror)


def left_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_it_is_fetched_once(tmp_path: Path, server: Server) -> None:
    server.files["/a/f.gz"] = CONTENT
    for _ in range(2):
        path = get(tmp_path / "raw", f"{server.address}/a/f.gz")
        assert path == tmp_path / "raw" / "f.gz"
        assert path.read_bytes() == CONTENT
    assert server.asked == ["/a/f.gz"]
    assert left_in(tmp_path / "raw") == ["f.gz"]


def test_what_is_there_needs_no_source(tmp_path: Path) -> None:
    (tmp_path / "f.gz").write_bytes(CONTENT)
    assert get(tmp_path, mirror="/not/there") == tmp_path / "f.gz"


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_mirror_comes_first(tmp_path: Path, server: Server, slash: str) -> None:
    server.files["/m/f.gz"] = server.files["/public/f.gz"] = CONTENT
    get(tmp_path, f"{server.address}/public/f.gz", mirror=f"{server.address}/m{slash}")
    assert server.asked == ["/m/f.gz"]


def test_a_mirror_may_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "f.gz").write_bytes(CONTENT)
    path = get(tmp_path / "raw", mirror=str(tmp_path / "mirror"))
    assert path.read_bytes() == CONTENT
    assert not path.is_symlink()


def test_a_source_without_the_file_is_followed_by_the_next(tmp_path: Path, server: Server) -> None:
    (tmp_path / "mirror").mkdir()
    server.files["/2/f.gz"] = CONTENT
    addresses = [f"{server.address}/{n}/f.gz" for n in (1, 2, 3)]
    assert get(tmp_path / "raw", *addresses, mirror=str(tmp_path / "mirror")).is_file()
    assert server.asked == ["/1/f.gz", "/2/f.gz"]


def test_all_that_was_tried_is_named(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang_up(request: BaseHTTPRequestHandler) -> None:
        request.connection.close()

    def fall_silent(request: BaseHTTPRequestHandler) -> None:
        released.wait(10)

    monkeypatch.setattr(module, "TIMEOUT", 2)
    server.files |= {"/hang-up": hang_up, "/silent": fall_silent}
    unused = Server()  # its port is free once it is closed
    unused.close()
    addresses = [
        f"{server.address}/none",
        f"{server.address}/hang-up",
        f"{server.address}/silent",
        f"{unused.address}/f.gz",
        "http://127.0.0.1:port/f.gz",
        "http://[::1/f.gz",
    ]
    with pytest.raises(UserError, match=r"f\.gz: could not be fetched; tried") as caught:
        get(tmp_path / "raw", *addresses)
    released.set()
    message = str(caught.value)
    for address in addresses:
        assert f"{address} (" in message
    for hint in ("404", "timed out", "refused", "DLVC_MIRROR", "`bundled`"):
        assert hint in message
    assert "\n" not in message
    assert left_in(tmp_path / "raw") == []


def foreign(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    request.wfile.write(b"<html>Please log in</html>")


def truncated(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.end_headers()
    request.wfile.write(CONTENT[:300_000])


@pytest.mark.parametrize(
    ("answer", "content", "size"),
    [
        (foreign, b"<html>Please log in</html>", "26 bytes"),
        (truncated, CONTENT[:300_000], f"300000 of {len(CONTENT)} bytes"),
        (b"", b"", "0 bytes"),
    ],
)
def test_a_bad_download_is_named_and_not_kept(
    tmp_path: Path, server: Server, answer: object, content: bytes, size: str
) -> None:
    server.files["/f.gz"] = answer
    with pytest.raises(UserError, match=r"f\.gz: ") as caught:
        get(tmp_path, mirror=server.address)
    found = hashlib.md5(content).hexdigest()
    for part in (
        f"{server.address}/f.gz sent {size}",
        f"md5 {found}",
        f"expected {len(CONTENT)} bytes with md5 {MD5}",
    ):
        assert part in str(caught.value)
    assert left_in(tmp_path) == []

    server.files["/f.gz"] = CONTENT  # the next try starts clean
    assert get(tmp_path, mirror=server.address).read_bytes() == CONTENT


def test_a_bad_file_in_place_is_named_and_removed(tmp_path: Path, server: Server) -> None:
    server.files["/f.gz"] = CONTENT
    path = tmp_path / "f.gz"
    path.write_bytes(CONTENT[:-1])
    found = hashlib.md5(CONTENT[:-1]).hexdigest()
    with pytest.raises(
        UserError, match=rf"f\.gz: md5 {found} \(1023999 bytes\), expected {MD5} \("
    ):
        get(tmp_path, f"{server.address}/f.gz")
    assert left_in(tmp_path) == []
    assert server.asked == []
    assert get(tmp_path, f"{server.address}/f.gz").read_bytes() == CONTENT


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, MemoryError])
def test_nothing_stays_of_an_interrupted_download(
    tmp_path: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    interruption: type[BaseException],
) -> None:
    server.files["/f.gz"] = CONTENT
    seen = []

    def interrupt(*_: object) -> None:
        seen.extend(left_in(tmp_path))
        raise interruption

    with monkeypatch.context() as patch:
        patch.setattr(tqdm, "update", interrupt)
        with pytest.raises(interruption):
            get(tmp_path, f"{server.address}/f.gz")
    assert [name.endswith(".partial") for name in seen] == [True]
    assert left_in(tmp_path) == []
    assert get(tmp_path, f"{server.address}/f.gz").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/f.gz",
        "ftp://example.org/f.gz",
        "file:///etc/passwd",
        "http://127.0.0.1.example.org/f.gz",
    ],
)
def test_only_https_and_loopback_are_trusted(tmp_path: Path, address: str) -> None:
    with pytest.raises(UserError, match="expected https://"):
        get(tmp_path, address)
    with pytest.raises(UserError, match="expected https://"):
        get(tmp_path, mirror=address.removesuffix("/f.gz"))


def test_a_redirection_is_followed_but_not_to_anywhere(tmp_path: Path, server: Server) -> None:
    def redirect(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", target)
        request.send_header("Content-Length", "0")
        request.end_headers()

    server.files |= {"/here/f.gz": redirect, "/there": CONTENT}
    target = "http://example.org/f.gz"
    with pytest.raises(UserError, match=r"http://example\.org/f\.gz: the connection is not secure"):
        get(tmp_path, f"{server.address}/here/f.gz")
    target = f"{server.address}/there"
    assert get(tmp_path, f"{server.address}/here/f.gz").read_bytes() == CONTENT


def test_a_mirror_that_is_no_folder_is_a_mistake(tmp_path: Path, server: Server) -> None:
    server.files["/f.gz"] = CONTENT
    with pytest.raises(UserError, match=r"DLVC_MIRROR: /not/there is neither a folder nor"):
        get(tmp_path, f"{server.address}/f.gz", mirror="/not/there")


def test_a_proxy_is_not_asked_for_what_is_on_this_machine(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    server.files["/f.gz"] = CONTENT
    assert get(tmp_path, mirror=server.address).is_file()


def test_two_at_once_do_not_disturb_each_other(tmp_path: Path, server: Server) -> None:
    meeting = threading.Barrier(2, timeout=60)

    def together(request: BaseHTTPRequestHandler) -> None:
        meeting.wait()
        request.send_response(200)
        request.end_headers()
        request.wfile.write(CONTENT)

    server.files["/f.gz"] = together
    errors: list[BaseException] = []

    def one() -> None:
        try:
            get(tmp_path, mirror=server.address)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert left_in(tmp_path) == ["f.gz"]
    assert (tmp_path / "f.gz").read_bytes() == CONTENT


def endless(request: BaseHTTPRequestHandler) -> None:
    """Sends more than any disk holds, if it is let; stops when it is cut off."""
    request.send_response(200)
    request.end_headers()
    with suppress(OSError):
        while True:
            request.wfile.write(bytes(1 << 20))


def test_an_endless_stream_is_cut_off(tmp_path: Path, server: Server) -> None:
    server.files["/f.gz"] = endless
    with pytest.raises(UserError, match=rf"sends too many bytes, expected {len(CONTENT)} bytes"):
        get(tmp_path, mirror=server.address)
    assert left_in(tmp_path) == []


def test_a_source_that_announces_more_is_not_even_read(tmp_path: Path, server: Server) -> None:
    sent: list[bytes] = []

    def larger(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(2**40))
        request.end_headers()
        with suppress(OSError):
            for _ in range(1000):
                request.wfile.write(bytes(1 << 20))
                sent.append(b"MiB")

    server.files["/f.gz"] = larger
    with pytest.raises(UserError, match=rf"announces {2**40} bytes, expected {len(CONTENT)} bytes"):
        get(tmp_path, mirror=server.address)
    assert left_in(tmp_path) == []
    assert len(sent) < 100  # no more than the buffers between us hold


@pytest.mark.parametrize("name", ["a folder", "a pipe"])
def test_what_is_no_file_at_a_mirror_is_passed_over(
    tmp_path: Path, server: Server, name: str
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "f.gz").mkdir() if name == "a folder" else os.mkfifo(mirror / "f.gz")
    server.files["/f.gz"] = CONTENT
    path = get(tmp_path / "raw", f"{server.address}/f.gz", mirror=str(mirror))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "address",
    [
        "https://me:s3cret@example.org/mnist",
        "https://s3cret@example.org/mnist",
        "https://me:s3/cret@[::1/mnist",
        "http://127.0.0.1@s3cret:80@example.org/mnist",
        "http://me:s3cret@127.0.0.1/mnist",
        "me:s3cret@example.org/mnist",
    ],
)
def test_a_password_in_an_address_is_neither_used_nor_shown(tmp_path: Path, address: str) -> None:
    expected = "name or password" if "://" in address else "neither a folder nor"
    with pytest.raises(UserError, match=expected) as caught:
        get(tmp_path, mirror=address)
    assert "s3" not in str(caught.value)
    assert "cret" not in str(caught.value)
    assert not (tmp_path / "f.gz").exists()


def test_a_redirection_with_a_password_is_not_followed(tmp_path: Path, server: Server) -> None:
    def redirect(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", "http://me:s3cret@127.0.0.1:9/f.gz")
        request.send_header("Content-Length", "0")
        request.end_headers()

    server.files["/f.gz"] = redirect
    with pytest.raises(UserError, match="name or password") as caught:
        get(tmp_path, f"{server.address}/f.gz")
    assert "s3cret" not in str(caught.value)
