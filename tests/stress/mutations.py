"""Damaged copies of intact files, from a seed: what a fuzz run feeds to the readers."""

from __future__ import annotations

import random
import struct
import tarfile
import zlib
from collections.abc import Callable, Sequence

Mutation = Callable[[bytearray, random.Random, Sequence[bytes]], None]

SIZES = "BHIQ"  # struct's letters for 1, 2, 4 and 8 bytes
CHANGES = (1, 1, 1, 2, 4)  # one alone gets furthest into a reader
LONGEST = 4096  # bytes put in, taken out, or copied at once


def mutate(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds after one to four random changes.

    >>> intact = b"a intact file"
    >>> mutate(random.Random(3), [intact]) == mutate(random.Random(3), [intact]) != intact
    True
    """
    content = bytearray(rng.choice(seeds))
    for _ in range(rng.choice(CHANGES)):
        rng.choice(MUTATIONS)(content, rng, seeds)
    return bytes(content)


def _flip(content: bytearray, rng: random.Random, _seeds: Sequence[bytes]) -> None:
    """Flip one to eight bits."""
    for _ in range(rng.randint(1, 8) if content else 0):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _truncate(content: bytearray, rng: random.Random, _seeds: Sequence[bytes]) -> None:
    del content[rng.randint(0, len(content)) :]


def _extreme(content: bytearray, rng: random.Random, _seeds: Sequence[bytes]) -> None:
    """Overwrite what may be a size with a number at the edge of what it can hold."""
    letter = rng.choice(SIZES)
    bits = 8 * struct.calcsize(letter)
    largest = 2**bits - 1
    value = rng.choice([0, 1, largest, largest - 1, largest // 2, largest // 2 + 1, len(content)])
    field = struct.pack(rng.choice("<>") + letter, value & largest)
    place = rng.randint(0, len(content))
    content[place : place + len(field)] = field


def _splice(content: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    """Put a part of a seed in, or in the place of something."""
    other = rng.choice(seeds)
    start, place = rng.randint(0, len(other)), rng.randint(0, len(content))
    length = rng.randint(0, LONGEST)
    content[place : place + rng.choice([0, length])] = other[start : start + length]


def _remove(content: bytearray, rng: random.Random, _seeds: Sequence[bytes]) -> None:
    start = rng.randint(0, len(content))
    del content[start : start + rng.randint(1, LONGEST)]


def _repeat(content: bytearray, rng: random.Random, _seeds: Sequence[bytes]) -> None:
    """Repeat a short part: what nests, nests deeply then."""
    start = rng.randint(0, len(content))
    content[start:start] = content[start : start + rng.randint(1, 16)] * rng.choice([2, 30, 2000])


def _append(content: bytearray, rng: random.Random, _seeds: Sequence[bytes]) -> None:
    content += rng.randbytes(rng.randint(1, LONGEST))


def _replace(content: bytearray, rng: random.Random, _seeds: Sequence[bytes]) -> None:
    """Random bytes, with or without the file's beginning, by which its kind is known."""
    content[rng.choice([0, 4, 8, 16]) :] = rng.randbytes(rng.randint(0, LONGEST))


MUTATIONS: list[Mutation] = [
    _flip, _flip, _flip, _extreme, _extreme,
    _truncate, _splice, _remove, _repeat, _append, _replace,
]  # fmt: skip


def repair_png(content: bytes) -> bytes:
    """Make the checksums of a PNG's chunks right, so that what is behind them is read."""
    repaired, place = bytearray(content), 8
    while place + 12 <= len(repaired):
        (length,) = struct.unpack_from(">I", repaired, place)
        end = place + 8 + length
        if end + 4 > len(repaired):
            break
        struct.pack_into(">I", repaired, end, zlib.crc32(repaired[place + 4 : end]))
        place = end + 4
    return bytes(repaired)


def repair_tar(content: bytes) -> bytes:
    """Make the checksum of every block that a tar header may be right."""
    repaired = bytearray(content)
    for start in range(0, len(repaired) - tarfile.BLOCKSIZE + 1, tarfile.BLOCKSIZE):
        block = repaired[start : start + tarfile.BLOCKSIZE]
        if b"ustar" in block[257:265]:
            block[148:156] = b" " * 8
            repaired[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    return bytes(repaired)
