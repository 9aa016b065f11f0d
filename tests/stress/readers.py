"""The readers of foreign files, each with small intact files to start from."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dlvc.arrays import array_files
from dlvc.data.cifar10 import parse_batch, parse_classes, read_members
from dlvc.data.folder import load_folder
from dlvc.data.mnist import read_idx
from dlvc.data.picture import read_picture
from dlvc.training import weights
from dvcview.files import artifacts, yaml_files
from tests.stress.mutations import repair_png, repair_tar

DIGITS = (28, 28)
PICTURE = 800  # MB


@dataclass(frozen=True)
class Reader:
    """What is fuzzed. It is sent to another process: functions with a name, no lambdas.

    Attributes:
        name: of the file format.
        read: the reader; it returns a value or raises a `UserError`.
        seeds: intact files to damage.
        pack: applied to a damaged file, so that the damage lies behind a checksum.
        bound: MB of memory that one file may cost: a picture of 50 million pixels, the most
            that is allowed, costs up to 16 bytes a pixel.
    """

    name: str
    read: Callable[[Path], object]
    seeds: Callable[[], list[bytes]]
    pack: Callable[[bytes], bytes] = bytes
    bound: int = 100


def python2_batch(images: NDArray[np.uint8], labels: list[int]) -> bytes:
    """A batch of CIFAR-10, opcode by opcode as published: Python 2, protocol 2, NumPy of 2009."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value  # SHORT_BINSTRING: Python 2's str

    def whole(value: int) -> bytes:
        return b"M" + struct.pack("<H", value)

    pixels = images.transpose(0, 3, 1, 2).tobytes()  # planes of red, green, blue
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R"  # dtype("u1", 0, 1)
    dtype += b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b")
    array += b"\x87R(K\x01" + whole(len(images)) + whole(3072) + b"\x86" + dtype
    array += b"\x89T" + struct.pack("<I", len(pixels)) + pixels + b"tb"
    listed = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"labels") + listed + text(b"data") + array + b"u."


def _pixels(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _idx() -> list[bytes]:
    return [struct.pack(">4B3I", 0, 0, 8, 3, n, 28, 28) + bytes(784 * n) for n in (0, 1, 3)]


def _zipped(seeds: Callable[[], list[bytes]]) -> list[bytes]:
    return [_gzip(content) for content in seeds()]


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def _pickles() -> list[bytes]:
    arrays = [np.arange(18.0).reshape(2, 9), np.arange(5), np.zeros((0, 9)), np.ones((2, 3), ">f4")]
    return [pickle.dumps(array, protocol) for array in arrays for protocol in (3, 4)]


def _batches() -> list[bytes]:
    names = b"](" + b"".join(b"U\x03cat" for _ in range(10)) + b"e"
    return [
        python2_batch(_pixels(2, 32, 32, 3), [3, 9]),
        python2_batch(_pixels(0, 32, 32, 3), []),
        b"\x80\x02}q\x01(U\x0blabel_namesq\x02" + names + b"U\x07num_visq\x03M\x00\x0cu.",
    ]


def _read_batch(path: Path) -> object:
    content, where = path.read_bytes(), str(path)
    return (
        parse_classes(content, where) if b"label_names" in content else parse_batch(content, where)
    )


def _npy() -> list[bytes]:
    files = []
    for array in (
        np.arange(6.0).reshape(2, 3),
        _pixels(2, 28, 28),
        np.asfortranarray(_pixels(3, 2)),
    ):
        file = io.BytesIO()
        np.save(file, array)
        files.append(file.getvalue())
    return files


def _picture(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    colours = Image.fromarray(_pixels(12, 10, 3))
    (
        Image.fromarray(_pixels(9, 9).astype(np.uint16))
        if mode == "I;16"
        else colours.convert(mode)
    ).save(file, kind, **options)
    return file.getvalue()


def _png() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    others = [Image.fromarray(_pixels(12, 10, 3))]
    modes = ("L", "RGB", "RGBA", "LA", "P", "1", "I;16")
    plain = [_picture("PNG", mode) for mode in modes]
    return [
        *plain,
        _picture("PNG", exif=exif),
        _picture("PNG", save_all=True, append_images=others),
    ]


def _jpeg() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    others = [Image.fromarray(_pixels(12, 10, 3))]
    return [
        *(_picture("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
        _picture("JPEG", progressive=True, exif=exif, icc_profile=bytes(200), comment=b"none"),
        _picture("MPO", save_all=True, append_images=others),
    ]


def _read_picture(path: Path) -> object:
    return read_picture(io.BytesIO(path.read_bytes()), str(path), (32, 32, 3))


def _zip() -> list[bytes]:
    files = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for part in ("train", "test"):
                for label in range(10):
                    archive.writestr(f"{part}/{label}/0.png", _picture("PNG", "L"))
        files.append(file.getvalue())
    return files


MEMBERS = {f"batches/{name}": name.encode() * 200 for name in ("one", "two")}


def _tar() -> list[bytes]:
    files = []
    for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
            for name, content in MEMBERS.items():
                member = tarfile.TarInfo(name)
                member.size, member.mtime = len(content), 0.5 if kind == tarfile.PAX_FORMAT else 0
                archive.addfile(member, io.BytesIO(content))
        files.append(file.getvalue())
    return files


def _pack_tar(content: bytes) -> bytes:
    return _gzip(repair_tar(content))


def _read_tar(path: Path) -> object:
    wanted = {
        name: md5(content, usedforsecurity=False).hexdigest() for name, content in MEMBERS.items()
    }
    return dict(read_members(path, wanted))


def _safetensors() -> list[bytes]:
    import torch

    tensors = {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(2, dtype=torch.int64)}
    return [weights.weights_as_bytes(tensors), weights.weights_as_bytes({"n": torch.tensor(1)})]


def _json() -> list[bytes]:
    value: dict[str, Any] = {"text": "é\n", "list": [1, -2.5e10, None, True, []]}
    value["nested"] = {"a": {"b": [{}]}}
    return [json.dumps(value, ensure_ascii=False).encode(), json.dumps(value, indent=2).encode()]


def _yaml() -> list[bytes]:
    return [
        b"runtime:\n  threads: 2  # of torch\n  device: cpu\nlenet:\n  learning_rate: 1.0e-3\n",
        b"a: [1, 2, {b: c}]\nd: |\n  text\n  more\ne: 'quoted'\nf: \"\\u00e9\"\ng: ~\n",
        b"--- !!map\n? key\n: - 2024-01-01\n  - !!float 1\n  - 0x1F\n  - .nan\n...\n",
    ]


def _read_folder(path: Path) -> object:
    return load_folder(path, DIGITS, path.parent)


READERS = [
    Reader("idx, behind gzip", partial(read_idx, shape=DIGITS), _idx, _gzip),
    Reader("idx.gz", partial(read_idx, shape=DIGITS), partial(_zipped, _idx)),
    Reader("pickle of an array", array_files.read_pickle, _pickles),
    Reader("pickle of CIFAR-10", _read_batch, _batches),
    Reader("npy", array_files.read_npy, _npy),
    Reader("png, checksums repaired", _read_picture, _png, repair_png, PICTURE),
    Reader("jpeg", _read_picture, _jpeg, bound=PICTURE),
    Reader("zip of pictures", _read_folder, _zip, bound=PICTURE),
    Reader("tar, behind gzip, repaired", _read_tar, _tar, _pack_tar),
    Reader("tar.gz", _read_tar, partial(_zipped, _tar)),
    Reader("safetensors", weights.read_weights, _safetensors),
    Reader("json", artifacts.read_json, _json),
    Reader("yaml", yaml_files.read_yaml, _yaml),
]
