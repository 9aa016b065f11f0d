import os
import shutil
import stat
import struct
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable
from copy import copy
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZipFile, ZipInfo

import numpy as np
import pytest
from PIL import Image

from dlvc.arrays.dataset import ARRAYS, Dataset, check_dataset, open_dataset, save_dataset
from dlvc.data import folder, zip_members
from dvcview.errors import UserError

CLASSES = [f"class {c}" for c in "jihgfedcba"]  # not in order
RGB = (32, 32, 3)


def load_folder(path: Path, shape: tuple[int, ...]) -> Dataset:
    """In a folder of its own each time."""
    return folder.load_folder(path, shape, Path(tempfile.mkdtemp(dir=path.parent)))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Ten classes; 2 pictures each for training, 1 for testing; a picture's gray says which."""
    root = tmp_path / "my pictures"
    gray = 0
    for part, count in (("train", 2), ("test", 1)):
        for label in sorted(CLASSES):
            for number in range(count):
                file = root / part / label / f"{number}.{('png', 'PNG')[number % 2]}"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (32, 32), gray).save(file)
                gray += 1
    return root


def pack(root: Path, top: str = "") -> Path:
    """A .zip of a folder, its members in reversed order."""
    path = root.with_name("packed.zip")
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*"), reverse=True):
            archive.write(file, top + file.relative_to(root).as_posix())
    return path


def test_pictures_are_sorted_by_class_and_name(pictures: Path) -> None:
    dataset = load_folder(pictures, RGB)
    check_dataset(dataset)
    assert dataset.classes == tuple(sorted(CLASSES))
    assert (dataset.name, dataset.stand_in_for) == ("pictures from my pictures", None)
    assert dataset.train_labels.tolist() == [c for c in range(10) for _ in range(2)]
    assert dataset.test_labels.tolist() == list(range(10))
    assert dataset.train_images.shape == (20, *RGB)
    assert dataset.train_images[:, 5, 5, 1].tolist() == list(range(20))
    assert dataset.test_images[:, 5, 5, 1].tolist() == list(range(20, 30))


@pytest.mark.parametrize("top", ["", "around/"])
@pytest.mark.parametrize("shape", [(28, 28), RGB])
def test_a_zip_is_as_good_as_a_folder(pictures: Path, top: str, shape: tuple[int, ...]) -> None:
    path = pack(pictures, top)
    with ZipFile(path, "a") as archive:  # as macOS adds it
        archive.writestr(f"__MACOSX/{top}train/class a/._0.png", b"no picture")
    from_folder, from_zip = load_folder(pictures, shape), load_folder(path, shape)
    assert from_zip.classes == from_folder.classes
    assert from_zip.name == "pictures from packed.zip"
    for array in ARRAYS:
        np.testing.assert_array_equal(getattr(from_zip, array), getattr(from_folder, array))


def test_one_folder_around_it_may_be(pictures: Path, tmp_path: Path) -> None:
    plain = load_folder(pictures, RGB)
    shutil.move(pictures, tmp_path / "outer" / "inner")
    around = load_folder(tmp_path / "outer", RGB)
    np.testing.assert_array_equal(around.train_images, plain.train_images)


def test_other_files_are_passed_over(pictures: Path) -> None:
    plain = load_folder(pictures, RGB)
    for name in (
        "README.md",
        "overview.png",
        "train/labels.csv",
        "train/class a/notes.txt",
        "train/class a/.hidden.png",
        "train/.cache/1.png",
        "__MACOSX/train/class a/._0.png",
        "more/else/0.png",
    ):
        (pictures / name).parent.mkdir(exist_ok=True, parents=True)
        (pictures / name).write_bytes(b"no picture")
    around = pack(pictures, "around/")
    around = around.rename(around.with_name("around.zip"))
    with ZipFile(around, "a") as archive:
        archive.writestr("labels.csv", b"beside the enclosing folder")
        archive.writestr("Thumbs.db", b"")
    (pictures / "overview.png").unlink()
    for path in (pictures, pack(pictures), around):
        np.testing.assert_array_equal(load_folder(path, RGB).train_images, plain.train_images)


def test_files_that_are_not_read_are_counted(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_folder(pictures, RGB)
    assert capsys.readouterr().out == ""
    for number, name in enumerate(
        ["train/class a/1.webp", "test/class b/2.WEBP", "train/class c/3.tif"]
    ):
        Image.new("L", (8, 8), number).save(pictures / name)
    for path in (pictures, pack(pictures, "around/")):
        load_folder(path, RGB)
        assert capsys.readouterr().out == (
            f"{path}: files that are not read: 3 (2 .webp, 1 .tif); convert them to .png or .jpg\n"
        )


def test_test_pictures_that_are_also_training_pictures_are_counted(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(pictures / "train/class a/0.png", pictures / "test/class a/9.png")
    load_folder(pictures, RGB)
    assert capsys.readouterr().out == (
        f"{pictures}: test pictures that are also training pictures: 1 of 11; they make the test "
        "accuracy too high\n"
    )


@pytest.mark.parametrize("count", [2, 3, 12])
def test_any_number_of_classes_from_two_on(pictures: Path, count: int) -> None:
    for part in ("train", "test"):
        for label in CLASSES[count:]:
            shutil.rmtree(pictures / part / label)
        for number in range(len(CLASSES), count):
            shutil.copytree(pictures / part / CLASSES[0], pictures / part / f"more {number}")
    dataset = load_folder(pictures, RGB)
    check_dataset(dataset)
    assert len(dataset.classes) == count
    assert dataset.test_labels.tolist() == list(range(count))


def test_names_of_classes_are_compared_in_the_composed_form(pictures: Path) -> None:
    composed, decomposed = "\u00c4pfel", "A\u0308pfel"
    (pictures / "train/class a").rename(pictures / "train" / composed)
    (pictures / "test/class a").rename(pictures / "test" / decomposed)
    for path in (pictures, pack(pictures)):
        assert load_folder(path, RGB).classes == (*sorted(CLASSES)[1:], composed)


def test_a_name_in_the_extra_field_is_read_by_every_python(pictures: Path) -> None:
    name = "train/\u82b1/0.png"
    packed = b"train/_/0.png"
    info = ZipInfo(packed.decode())
    unicode_name = struct.pack("<BL", 1, zlib.crc32(packed)) + name.encode()
    info.extra = struct.pack("<HH", 0x7075, len(unicode_name)) + unicode_name
    assert zip_members.decoded_name(info) == name
    info.orig_filename = "train/other/0.png"  # the field belongs to another name
    assert zip_members.decoded_name(info) == "train/other/0.png"


class Unmarked(ZipInfo):
    """A member whose name is stored as its bytes in code page 437, without the mark for UTF-8."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802
        return self.filename.encode("cp437"), self.flag_bits & ~0x800


def pack_with_names(root: Path, encoding: str) -> Path:
    """A .zip whose names are in this encoding, without the mark for UTF-8."""
    path = root.with_name("packed.zip")
    with ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*.*")):
            name = file.relative_to(root).as_posix().encode(encoding).decode("cp437")
            archive.writestr(Unmarked(name), file.read_bytes())
    return path


def test_names_in_a_zip_are_utf_8_with_and_without_the_mark(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("train", "test"):
        (pictures / part / "class a").rename(pictures / part / "\u82b1\u83ef")
    for path in (pack(pictures), pack_with_names(pictures, "utf-8")):
        assert load_folder(path, RGB).classes[-1] == "\u82b1\u83ef"
    assert capsys.readouterr().out == ""
    path = pack_with_names(pictures, "shift-jis")
    assert load_folder(path, RGB).train_images.shape == (20, *RGB)
    garbled = "\u82b1\u83ef".encode("shift-jis").decode("cp437")
    assert capsys.readouterr().out == (
        f"{path}: names that are not UTF-8: 3, read in code page 437, such as "
        f"'test/{garbled}/0.png'; if that is wrong, create the .zip again with UTF-8 names\n"
    )


def test_symbolic_links_in_a_folder_are_followed(pictures: Path, tmp_path: Path) -> None:
    plain = load_folder(pictures, RGB)  # DVC may link a class, or a picture, out of its cache
    shutil.move(pictures / "train" / "class a", tmp_path / "store")
    (pictures / "train" / "class a").symlink_to(tmp_path / "store")
    np.testing.assert_array_equal(load_folder(pictures, RGB).train_images, plain.train_images)


def remove(path: Path) -> Callable[[Path], None]:
    return lambda root: shutil.rmtree(root / path)


def broken_picture(root: Path) -> None:
    (root / "train/class b/0.png").write_bytes(b"\x89PNG\r\n")


def deeper(root: Path) -> None:
    (root / "train/class a/more").mkdir()
    shutil.copy(root / "train/class a/0.png", root / "train/class a/more/0.png")


def no_class(root: Path) -> None:
    shutil.copy(root / "train/class a/0.png", root / "test/0.png")


def one_class(root: Path) -> None:
    for part in ("train", "test"):
        for label in CLASSES[1:]:
            shutil.rmtree(root / part / label)


def two_folders_around(root: Path) -> None:
    for part in ("train", "test"):
        (root / f"my {part}").mkdir()
        shutil.move(root / part, root / f"my {part}" / part)


BAD = {
    "two folders around": (two_folders_around, "found: my test, my train"),
    "no test": (
        remove(Path("test")),
        r"20 pictures in train, 0 in test \(found: train\); expected",
    ),
    "empty": (lambda root: [shutil.rmtree(root / p) for p in ("train", "test")], "nothing"),
    "a class only in train": (remove(Path("test/class c")), "only in train: class c; .*none"),
    "a class only in test": (remove(Path("train/class c")), "none; only in test: class c"),
    "one class": (one_class, r"only one class \(class j\), expected two or more"),
    "broken": (broken_picture, r"train/class b/0\.png: not a readable"),
    "deeper": (deeper, r"train/class a/more/0\.png is not in the folder of a class"),
    "no class": (no_class, r"test/0\.png is not in the folder of a class"),
}


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize(("spoil", "message"), BAD.values(), ids=BAD.keys())
def test_another_layout_is_one_clear_line(
    pictures: Path, spoil: Callable[[Path], None], message: str, zipped: bool
) -> None:
    spoil(pictures)
    path = pack(pictures) if zipped else pictures
    with pytest.raises(UserError, match=message) as caught:
        load_folder(path, RGB)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_that_leads_nowhere(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"nowhere: no such folder or file; expected a folder or a \.zip"
    ):
        load_folder(tmp_path / "nowhere", RGB)
    (pictures / "train/class a/0.png").unlink()
    (pictures / "train/class a/0.png").symlink_to("nothing")
    with pytest.raises(UserError, match=r"class a/0\.png: cannot be read"):
        load_folder(pictures, RGB)


@pytest.mark.parametrize(
    "name", ["/etc/0.png", "../0.png", "train/../../0.png", "train\\class a\\0.png", "a/.."]
)
def test_members_that_lead_out_of_a_zip_are_refused(pictures: Path, name: str) -> None:
    path = pack(pictures)
    with ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(UserError, match=r"packed\.zip: member .* leads out") as caught:
        load_folder(path, RGB)
    assert repr(name) in str(caught.value)


def test_a_symbolic_link_in_a_zip_is_refused(pictures: Path) -> None:
    path = pack(pictures)
    link = ZipInfo("train/class a/9.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UserError, match=r"'train/class a/9\.png' is a symbolic link"):
        load_folder(path, RGB)


def test_an_encrypted_zip_is_refused(pictures: Path) -> None:
    path = pack(pictures)
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\x01\x02")
    content[central + 8] |= 1  # general purpose bit 0 of the first entry of the directory
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"member 'train/.*' is encrypted"):
        load_folder(path, RGB)


def test_a_zip_bomb_is_refused(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(pictures)
    with ZipFile(path, "a", ZIP_DEFLATED) as archive:
        archive.writestr("train/class a/9.png", bytes(1_000_001))
    monkeypatch.setattr(zip_members, "LARGEST_FILE", 1_000_000)
    with pytest.raises(UserError, match=r"9\.png' unpacks to 1000001 bytes, the limit is 1000000"):
        load_folder(path, RGB)


def test_a_broken_zip_is_one_clear_line(pictures: Path) -> None:
    path = pack(pictures)
    whole = path.read_bytes()
    for content in (b"", b"no archive", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"packed\.zip: neither a folder nor a readable \.zip"):
            load_folder(path, RGB)


def test_a_damaged_member_is_named(pictures: Path) -> None:
    path = pack(pictures)
    content = bytearray(path.read_bytes())
    with ZipFile(path) as archive:
        member = archive.getinfo("test/class e/0.png")
    lengths = struct.unpack_from("<HH", content, member.header_offset + 26)
    start = member.header_offset + 30 + sum(lengths)
    content[start : start + member.compress_size] = os.urandom(member.compress_size)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"member 'test/class e/0\.png' is damaged"):
        load_folder(path, RGB)


def lie_about(path: Path, name: str, size: int) -> None:
    """Let both headers of a member announce another unpacked size."""
    content = bytearray(path.read_bytes())
    with ZipFile(path) as archive:
        local = archive.getinfo(name).header_offset
        central = archive.start_dir
        for member in archive.infolist():
            if member.filename == name:
                break
            extras = len(member.extra) + len(member.comment)
            central += 46 + len(member.filename.encode()) + extras
    struct.pack_into("<I", content, local + 22, size)
    struct.pack_into("<I", content, central + 24, size)
    path.write_bytes(content)


def test_a_member_that_announces_less_than_it_holds_does_not_fill_the_memory(
    pictures: Path,
) -> None:
    path = pack(pictures)
    name = "train/class a/9.png"
    with ZipFile(path, "a", ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(300_000_000))  # 300 kB packed
    lie_about(path, name, 100)
    tracemalloc.start()
    with pytest.raises(UserError, match=rf"member '{name}' is damaged"):
        load_folder(path, RGB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


def test_a_member_that_announces_more_than_it_holds_is_named(pictures: Path) -> None:
    path = pack(pictures)
    name = "train/class a/0.png"
    lie_about(path, name, 3000)
    with pytest.raises(UserError, match=rf"member '{name}' is damaged .*announces 3000"):
        load_folder(path, RGB)


def test_members_that_share_their_content_do_not_multiply_it(pictures: Path) -> None:
    path = pack(pictures)
    with ZipFile(path, "a", ZIP_DEFLATED) as archive:  # a bomb of overlapping members
        archive.writestr("train/class a/9.png", bytes(1_000_000))
        bomb = archive.getinfo("train/class a/9.png")
        for number in range(100):
            again = copy(bomb)
            again.filename = f"train/class a/{number}0.png"
            archive.filelist.append(again)
    with pytest.raises(
        UserError, match=r"unpack to 10\d{7} bytes, the limits are .* 100 times the"
    ):
        load_folder(path, RGB)


def test_too_many_members_are_refused(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(pictures)
    monkeypatch.setattr(zip_members, "MOST_MEMBERS", 30)
    with pytest.raises(UserError, match=r"packed\.zip: 52 members .* the limits are 30"):
        load_folder(path, RGB)


def test_a_member_that_is_there_twice_is_refused(pictures: Path) -> None:
    path = pack(pictures)
    with ZipFile(path, "a") as archive:
        bomb = copy(archive.getinfo("train/class a/0.png"))
        archive.filelist.append(bomb)
        archive.writestr("notes.txt", b"")  # so that the directory is written anew
    with pytest.raises(UserError, match=r"member 'train/class a/0\.png' occurs twice"):
        load_folder(path, RGB)


@pytest.mark.parametrize("method", [ZIP_BZIP2, ZIP_LZMA])
def test_methods_that_unpack_without_a_bound_are_refused(pictures: Path, method: int) -> None:
    path = pack(pictures)
    with ZipFile(path, "a", method) as archive:
        archive.writestr("train/class a/9.png", bytes(1000))
    with pytest.raises(UserError, match=r"9\.png' uses a compression method other than deflate"):
        load_folder(path, RGB)


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a device", "a large file"])
def test_what_is_no_picture_file_is_named_at_once(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = pictures / "train/class a/0.png"
    path.unlink()
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    else:
        Image.new("L", (32, 32)).save(path)
        monkeypatch.setattr(folder, "LARGEST_FILE", path.stat().st_size - 1)
    with pytest.raises(
        UserError, match=r"class a/0\.png: not a regular file, or too large \(\d+ bytes"
    ):
        load_folder(pictures, RGB)


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2J", "a\u2028b", os.fsdecode(b"a\xff")])
def test_a_name_that_is_no_text_is_refused_in_one_line(pictures: Path, name: str) -> None:
    for part in ("train", "test"):
        (pictures / part / "class a").rename(pictures / part / name)
    with pytest.raises(UserError, match="has unprintable characters; rename it") as caught:
        load_folder(pictures, RGB)
    message = str(caught.value)
    assert message.isprintable()
    assert "\n" not in message


def test_names_in_any_language_are_names(pictures: Path) -> None:
    strange = "Bild\u202fvon ä 日本\N{NO-BREAK SPACE}"  # as macOS names a picture of the screen
    for part in ("train", "test"):
        (pictures / part / "class a").rename(pictures / part / strange)
    assert strange in load_folder(pictures, RGB).classes


def test_the_content_says_what_a_picture_is_not_its_name(pictures: Path) -> None:
    plain = load_folder(pictures, RGB)
    misnamed = pictures / "train/class a/0.png"
    Image.open(misnamed).save(pictures / "0.jpg", "JPEG", quality=100)
    (pictures / "0.jpg").rename(misnamed)
    assert misnamed.read_bytes()[:2] == b"\xff\xd8"
    np.testing.assert_array_equal(load_folder(pictures, RGB).train_images, plain.train_images)
    misnamed.write_text("This is no picture.")
    with pytest.raises(UserError, match=r"class a/0\.png: not a readable PNG or JPEG"):
        load_folder(pictures, RGB)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18)])
def test_an_empty_file_or_archive_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "empty.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"empty\.zip: .*expected"):
        load_folder(tmp_path / "empty.zip", RGB)


def test_there_may_be_more_pictures_than_memory_holds(pictures: Path, tmp_path: Path) -> None:
    """A million of them were tried by hand: docs/scaling.md."""
    (original,) = pictures.glob("train/class a/0.png")
    for number in range(3000):
        os.link(original, original.with_name(f"more {number}.png"))
    tracemalloc.start()
    try:
        loaded = folder.load_folder(pictures, RGB, tmp_path / "arrays")
        save_dataset(tmp_path / "arrays", loaded)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert loaded.train_images.nbytes > 9_000_000
    assert peak < 4_000_000
    np.testing.assert_array_equal(open_dataset(tmp_path / "arrays").train_images[2:20], 0)
