"""Makes broken parameters: files, profiles, words of a command line, each with what is known of it.

What is wrong by construction must be refused, with its key; what only looks odd must be accepted;
of a text that chance has changed nothing is known beforehand.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from ruamel.yaml import YAML

from dlvc.params.reader import Params
from dvcview.project.params import flatten


@dataclass(frozen=True)
class Broken:
    """One input, and what is known of it."""

    content: bytes  # of params.yaml, or of profiles/mine.yaml
    valid: bool | None  # None: nobody knows
    names: str = ""  # what a refusal has to name
    words: tuple[str, ...] = ()
    profile: str | None = None
    in_profile: bool = False  # the file is profiles/mine.yaml, beside a good params.yaml
    special: str | None = None  # what is in the file's place

    def shown(self) -> str:
        """Enough of it to be looked at."""
        parts = (self.special, self.words, self.profile, self.content[-200:])
        return " ".join(repr(part) for part in parts if part)


WRONG_FOR_ALL = [None, [], [1, 2], {}, {"a": 1}, -10, 10**400, float("nan"), float("inf")]
WRONG: dict[type, list[Any]] = {
    list: [None, [], {}, {"a": 1}, -10, 0.5, True, "many", ["a"], [0], [-1], [None], [[1]], [{}]],
    bool: [*WRONG_FOR_ALL, 1, 0, 0.5, "yes", "no", "on"],
    int: [
        *WRONG_FOR_ALL,
        10**20,
        True,
        False,
        0.5,
        -1e9,
        "3",
        "",
        "many",
        "0x10",
        "3\n",
        "\0",
        "\ud800",
    ],
    float: [*WRONG_FOR_ALL, True, False, -1e9, "0.1", "", "small", "1e-4", "\x1b[2J", "\u2028"],
    str: [*WRONG_FOR_ALL, True, 0.5, "", "a\nb", "\0", "\x1b[31m", "\u2028", "???", "x://y@z/"],
}
PIECES = [
    "a", "1", "é", "\U0001f600", ":", ": ", "-", "- ", "[", "]", "{", "}", ",", "&a ", "*a", "#",
    "'", '"', "? ", "|", ">", "|2-\n", "%YAML 1.1\n---\n", "%", "@", "`", "~", "\\", "\n---\n",
    "\n...\n", "<<: ", "<<: *a", "0x", "0o7", "1_0", "1e", ".inf", "2020-02-30", " ", "\n", "\n  ",
    "\t", "\0", "\x85", "\u2028", "\ufeff", "\x1b", "\x7f", "!!bool ", "!!int ", "!!float ",
    "!!timestamp ", "!!set ", "!!omap ", "!!pairs ", "!!binary ", "!!python/name:os.system ",
    "!!python/object/apply:os.system [touch marker]", "!<tag:x> ", "!x", "lenet: ", "epochs: 3\n",
]  # fmt: skip
MARKS = "\u202e\x07\x1b[31m"  # turn a terminal's text round, ring its bell, make it red


@cache
def leaves(text: str) -> list[tuple[str, Any]]:
    """The flat names of all parameters, with values of the types that they are checked for."""
    params = Params.model_validate(YAML(typ="safe").load(text))
    return [*flatten(params.model_dump()).items()]


def leaf(rng: random.Random, text: str) -> tuple[str, Any]:
    """The flat name of a parameter, and its value."""
    return rng.choice(leaves(text))


def rewritten(text: str, key: str, written: str, name: str | None = None) -> bytes:
    """params.yaml with something else written behind a key, or under another name."""
    lines = text.splitlines()
    at = 0
    parts = key.split(".")
    for depth, part in enumerate(parts):
        begin = f"{'  ' * depth}{part}:"
        at = next(n for n in range(at, len(lines)) if lines[n].startswith(begin))
    lines[at] = f"{'  ' * (len(parts) - 1)}{name or parts[-1]}: {written}"
    return "\n".join(lines).encode(errors="surrogatepass")


def written(value: Any) -> str:
    """A value as YAML in one line; JSON is YAML, but for numbers that are none."""
    if isinstance(value, float) and value - value != 0:
        return ".nan" if value != value else ".inf"  # noqa: PLR0124  # only NaN is not itself
    return json.dumps(value)


def wrong_value(rng: random.Random, text: str) -> Broken:
    """A value of a wrong type, or out of range."""
    key, value = leaf(rng, text)
    wrong = rng.choice(WRONG[type(value)])
    return Broken(rewritten(text, key, written(wrong)), valid=False, names=key)


def wrong_key(rng: random.Random, text: str) -> Broken:
    """A key that is missing, misspelt, there twice, or no text."""
    key, value = leaf(rng, text)
    section, _, last = key.rpartition(".")
    now = written(value)
    match rng.randrange(4):
        case 0:
            return Broken(rewritten(text, key, "", "# none"), valid=False, names=section)
        case 1:
            name = last[:-1] + rng.choice("qxz")
            return Broken(rewritten(text, key, now, name), valid=False, names=f"{section}.{name}")
        case 2:
            twice = f"{now}\n{'  ' * key.count('.')}{last}: {now}"
            return Broken(rewritten(text, key, twice), valid=False, names=f'key "{last}"')
        case _:
            name = rng.choice(["1", "~", "true", "'a b'", f'"{MARKS}"'.replace("\x1b", r"\e")
                               .replace("\x07", r"\a"), "? [1, 2]\n", "x" * 500])  # fmt: skip
            return Broken(rewritten(text, key, now, name), valid=False, names="params.yaml")


def spliced(rng: random.Random, text: str) -> Broken:
    """YAML's own signs at places where nobody expects them."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text))
        text = text[:at] + "".join(rng.choices(PIECES, k=rng.randint(1, 4))) + text[at:]
    return Broken(text.encode(), valid=None, names="params.yaml")


def damaged(rng: random.Random, text: str) -> Broken:
    """Another encoding, flipped bits, half a file."""
    content = bytearray(text.encode())
    match rng.randrange(6):
        case 0:
            name = rng.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp500"])
            odd = f"# é\n{text}" if name == "utf-7" else text
            return Broken(odd.encode(name), None if name == "utf-7" else False, "params.yaml")
        case 1:
            late = f"{text}# é".encode("latin-1")
            return Broken(
                late,
                valid=False,
                names=f"params.yaml: not UTF-8 text (byte {len(text.encode()) + 2}",
            )
        case 2:
            return Broken(bytes(content[: rng.randrange(len(content))]), None, "params.yaml")
        case 3:
            content[rng.randrange(len(content))] = rng.randrange(256)
        case 4:
            for _ in range(rng.randint(2, 40)):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        case _:
            return Broken(rng.randbytes(rng.randrange(2000)), None, "params.yaml")
    return Broken(bytes(content), valid=None, names="params.yaml")


def hostile(rng: random.Random, text: str) -> Broken:
    """Made to take all time or memory, or to run something."""
    size = rng.choice([100, 1000, 20_000, 90_000, 200_000])
    names = "params.yaml"
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    wide = f"lenet: &a {{{'x: 1, ' * 3}y: 2}}\n" + "".join(
        f"k{n}: {{<<: *a}}\n" for n in range(size // 20)
    )
    attacks = [
        laughs + text, wide, laughs.replace("[", "{a: ").replace(", ", ", b: ").replace("]", "}"),
        "lenet: &a {seed: *a}\n", "&a [*a]", "[" * size, "{a: " * size, "- " * size, "? " * size,
        "!!set {" * size, "a: " + "&a " * size, "a: !" + "x" * size, "'" * size, "#" * size,
        "a" * size, "a: 0x" + "f" * size, "a: " + "9" * size, "a: 1e" + "9" * size, '"\\U' * size,
        "lenet: {" + ", ".join(f"k{n}: 1" for n in range(size // 8)) + "}",
        "lenet: {epochs: [" + "1, " * (size // 3) + "]}", "\n" * size, "\t" * size, "%" * size,
        "a:\n" + "".join(" " * n + f"k{n}:\n" for n in range(1, min(size, 400))), "\ufeff" * size,
        "lenet: !!python/object/apply:os.system ['touch marker']\n", "!!python/name:os.system x",
        "!!python/object/new:subprocess.Popen [[touch, marker]]", "--- a\n" * (size // 6),
        "lenet: !!binary " + "A" * size, "lenet: !!timestamp " + "1" * size, "a: 1:" + "1:" * size,
        "? " + "[" * 50 + "]" * 50 + "\n: 1", f"{'k' * size}: 1", f"{MARKS}: 1",
    ]  # fmt: skip
    return Broken(rng.choice(attacks).encode(), valid=False, names=names)


def special_file(rng: random.Random, text: str) -> Broken:
    """Something else in the file's place."""
    kinds = [
        "absent", "a folder", "a pipe", "a link to nothing", "a link to itself", "a socket",
        "an endless device", "100 MB",
    ]  # fmt: skip
    kind, in_profile = rng.choice(kinds), rng.random() < 0.5
    profile = "mine" if in_profile else None
    names = "mine" if in_profile else "params.yaml"
    return Broken(text.encode(), False, names, (), profile, in_profile, kind)


def profile(rng: random.Random, text: str) -> Broken:
    """A profile with one of those mistakes, or a name that is none."""
    if rng.random() < 0.2:
        odd = ["corse", "", "course.yaml", "../params", "/etc/passwd", "a\nb", MARKS, "x" * 5000,
               "*", "-rf", "$(touch marker)", "\ud800", "course\0"]  # fmt: skip
        return Broken(text.encode(), False, "allowed: course", profile=rng.choice(odd))
    made = rng.choice([wrong_value, spliced, damaged, hostile])(rng, text)
    if made.valid is None:  # without sections it can be a good profile, for all that is known
        return Broken(made.content, None, "profiles/mine.yaml", (), "mine", in_profile=True)
    names = made.names if made.names.count(".") and "params" not in made.names else "mine.yaml"
    return Broken(made.content, False, names, (), "mine", in_profile=True)


def words(rng: random.Random, text: str) -> Broken:
    """What stands behind `dlvc run`, or behind `-P` of `mlflow run`."""
    content = text.encode()
    key, value = leaf(rng, text)
    wrong = written(rng.choice(WRONG[type(value)]))
    now = written(value)
    odd = rng.choice(["", ".", "+", "~", "++", "$", "=", "@", "-", "$(touch marker)", ";", "\n",
                      "x" * 5000, "." * 5000, MARKS, "\ud800", "lenet.", ".epochs"])  # fmt: skip
    forms: list[tuple[tuple[str, ...], str]] = [
        ((f"--{key}={wrong}",), key),
        ((f"--{key}", wrong), key),
        ((f"--{key}={now}", f"--{key}={now}"), f"--{key} is given twice"),
        ((f"--{key}",), f"--{key} has no value"),
        ((f"--{odd}{key}={now}",), ""),
        ((f"--{key}{odd or '.x'}", now), ""),
        ((f"--{key}.x.y", now), key),
        ((f"--{odd}", now), ""),
        ((odd or "x", now), "; expected --section.key value"),
        ((f"--{key}={now}", odd or "x"), "; expected --section.key value"),
        ((f"--{key.split('.')[0]}={wrong}",), key.split(".")[0]),
        ((f"--{key}", "[" * 5000), f"--{key} "),
        ((f"--{key}", "&a [*a]"), f"--{key} "),
        ((f"--{key}", f"!!python/name:os.system {odd}"), f"--{key} "),
    ]
    given, names = rng.choice(forms)
    # An odd sign can be none at all.
    right = {(f"--{key}={now}",), (f"--{key}", now)}
    valid = None if given in right else False
    return Broken(content, valid, names, given)


def random_text(rng: random.Random, text: str) -> Broken:
    """Any text as a value or as a key; nothing is known but that it takes one line to refuse it."""
    key, _ = leaf(rng, text)
    any_text = "".join(chr(rng.choice([rng.randrange(128), rng.randrange(0x110000)]))
                       for _ in range(rng.randrange(12)))  # fmt: skip
    given = rng.choice([(f"--{key}", any_text), (f"--{key}={any_text}",), (f"--{any_text}", "1")])
    return Broken(text.encode(), None, "", given)


def odd_but_valid(rng: random.Random, text: str) -> Broken:
    """What an editor, or a person with a taste of their own, makes of a good file."""
    content = YAML(typ="safe").load(text)
    forms = [
        text.replace("\n", "\r\n"), f"\ufeff{text}", f"# é \U0001f600\n{text}", f"---\n{text}",
        f"{text}\n...\n", json.dumps(content), json.dumps(content, indent=4), text.rstrip(),
        text.replace("  ", "    "), f"%YAML 1.2\n---\n{text}", text.replace("lenet:", "'lenet':"),
        text.replace("data/pictures/digits", rng.choice(["'日本/é'", "'; touch marker'", "-rf",
                     "$(touch marker)", "../../etc", "/etc", "'a''b'"])),
    ]  # fmt: skip
    return Broken(rng.choice(forms).encode(), valid=True)


KINDS: dict[str, Callable[[random.Random, str], Broken]] = {
    "wrong values": wrong_value,
    "wrong keys": wrong_key,
    "YAML's signs anywhere": spliced,
    "damaged files, other encodings": damaged,
    "hostile files": hostile,
    "no file in its place": special_file,
    "profiles": profile,
    "words of a command line": words,
    "any text as a value or key": random_text,
    "odd, but valid": odd_but_valid,
}
