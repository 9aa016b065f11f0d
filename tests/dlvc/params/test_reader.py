"""params.yaml: the lectures' numbers, and one clear line for whoever mistypes."""

from __future__ import annotations

import copy
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dlvc.params.reader import Params, check_params, check_pictures, read_params
from dvcview.errors import UserError
from dvcview.files.yaml_files import parse_yaml, read_yaml
from dvcview.project.params import flatten
from tests.examples import examples
from tests.imports import ROOT

FILE = ROOT / "params.yaml"
TEXT = FILE.read_text(encoding="utf-8")
CONTENT = read_yaml(FILE)


def refusal(path: Path) -> str:
    """The one line with which a file is refused; it begins with the file's name."""
    with pytest.raises(UserError) as caught:
        read_params(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


# What the lectures' notebooks have, read by hand; lecture 40 at 224 px is profiles/course.yaml's.
LECTURES = {
    "features.lbp.neighbours": 5,
    "features.lbp.radius": 2,
    "features.lbp.bins": 8,
    "features.glcm.distance": 2,
    "features.glcm.angle": 0,
    "features.glcm.levels": 256,
    "features.gabor.frequency": 0.6,
    "features.gabor.theta": 0,
    "features.gabor.bins": 8,
    "perceptron.learning_rate": 10,
    "perceptron.epochs": 20,
    "perceptron.batch_size": 64,
    "update_rules.per_epoch.learning_rate": 0.1,
    "update_rules.per_epoch.epochs": 10,
    "update_rules.per_batch.learning_rate": 0.1,
    "update_rules.per_batch.epochs": 10,
    "update_rules.per_batch.batch_size": 100,
    "update_rules.per_sample.learning_rate": 0.01,
    "update_rules.per_sample.epochs": 10,
    "update_rules.per_sample.shuffle": False,
    "optimizers.epochs": 10,
    "optimizers.batch_size": 100,
    "optimizers.sgd.learning_rate": 0.0001,
    "optimizers.momentum.learning_rate": 0.0001,
    "optimizers.momentum.momentum": 0.9,
    "optimizers.adam.learning_rate": 0.0001,
    "lenet.learning_rate": 0.0001,
    "lenet.epochs": 10,
    "lenet.batch_size": 100,
    "densenet.learning_rate": 0.0001,
    "densenet.batch_size": 32,
    "densenet.initialisation": "lecture",  # not in the notebook: what its PyTorch very likely had
}


def test_the_committed_values_are_the_lectures():
    values = flatten(read_params(FILE).model_dump())
    assert {key: values[key] for key in LECTURES} == LECTURES


def test_nothing_but_data_threads_seeds_and_the_small_densenet_is_ours():
    ours = set(flatten(CONTENT)) - set(LECTURES)
    exercises = ("claims.", "costs.")
    assert {key for key in ours if not key.startswith(("data.", "runtime.", *exercises))} == {
        "features.shards",
        "features.workers",
        "perceptron.seed",
        "perceptron.seeds",
        "update_rules.seed",
        "update_rules.per_epoch.seeds",
        "update_rules.per_batch.seeds",
        "update_rules.per_sample.seeds",
        "update_rules.per_epoch.batch_size",  # the sum is the same, and larger products are faster
        "optimizers.seed",
        "optimizers.seeds",
        "lenet.seed",
        "lenet.seeds",
        "densenet.seed",
        "densenet.seeds",
        "densenet.image_size",
        "densenet.epochs",
    }


def test_what_is_checked_is_what_stands_in_the_file():
    assert read_params(FILE).model_dump() == CONTENT


def test_no_value_can_be_changed_after_the_check():
    params = read_params(FILE)
    with pytest.raises(ValidationError, match="frozen"):
        params.lenet.epochs = 1


def with_value(key: str, written: str) -> str:
    """The text of params.yaml with something else written behind a key."""
    lines = TEXT.splitlines()
    at = 0
    for depth, part in enumerate(key.split(".")):
        beginning = f"{'  ' * depth}{part}:"
        at = next(n for n in range(at, len(lines)) if lines[n].startswith(beginning))
    lines[at] = f"{beginning} {written}"
    return "\n".join(lines)


def check_message(folder: Path, text: str, said: str) -> None:
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    message = refusal(folder / "params.yaml")
    assert message.startswith(f": {said}"), message
    assert len(message) < 250


# key, what is written behind it, what the message has to say
WRONG_VALUES = [
    ("perceptron.epochs", "many", "is 'many'; allowed: integer"),
    ("perceptron.epochs", '"20"', "is '20'; allowed: integer"),
    ("perceptron.epochs", "", "is empty; allowed: integer"),
    ("perceptron.epochs", "true", "is True; allowed: integer"),
    ("perceptron.epochs", "20.5", "is 20.5; allowed: integer"),
    ("perceptron.epochs", "20.0", "is 20.0; allowed: integer"),
    ("perceptron.epochs", "[20]", "is [20]; allowed: integer"),
    ("perceptron.epochs", "2020-01-01", "is datetime.date(2020, 1, 1); allowed: integer"),
    ("perceptron.epochs", "0", "is 0; allowed: greater than or equal to 1"),
    ("perceptron.epochs", "-3", "is -3; allowed: greater than or equal to 1"),
    ("perceptron.epochs", "9" * 1000, "is 99999"),
    ("perceptron.epochs", f"0x{'f' * 5000}", "is too long to be written out; allowed: less than"),
    ("perceptron.batch_size", "1" + 20 * "0", "is 100000000000000000000; allowed: less than"),
    ("perceptron.learning_rate", "false", "is False; allowed: number"),
    ("perceptron.learning_rate", ".nan", "is nan; allowed: a finite number"),
    ("perceptron.learning_rate", "1e999", "is inf; allowed: a finite number"),
    ("perceptron.learning_rate", "0", "is 0; allowed: greater than 0"),
    ("perceptron.learning_rate", "9" * 400, "is 99999"),
    ("perceptron.learning_rate", f"0x{'f' * 5000}", "is too long to be written out; allowed:"),
    ("perceptron.seed", "-1", "is -1; allowed: greater than or equal to 0"),
    ("perceptron.seed", "4294967296", "is 4294967296; allowed: less than 4294967296"),
    ("features.gabor.theta", "-.inf", "is -inf; allowed: a finite number"),
    ("features.glcm.levels", "8", "is 8; allowed: 256"),
    ("optimizers.momentum.momentum", "1", "is 1; allowed: less than 1"),
    ("densenet.batch_size", "1", "is 1: batch normalisation needs at least 2"),
    ("runtime.compile", "true", "is true, which makes machine code for this processor; set it to"),
    ("densenet.initialisation", "kaiming", "is 'kaiming'; allowed: 'lecture' or 'torchvision'"),
    ("runtime.device", "gpu", "is 'gpu'; allowed: 'auto', 'cpu' or 'cuda'"),
    ("data.digits.source", "cifar10", "is 'cifar10'; allowed: 'bundled', 'mnist' or 'folder'"),
    ("data.digits.bundled.train", "6001", "is 6001; allowed: a multiple of 10"),
    ("data.digits.path", "7", "is 7; allowed: string"),
    ("data.digits.path", '""', "is ''; allowed: one non-empty line of text"),
    ("data.digits.path", r'"a\nb"', r"is 'a\nb'; allowed: one non-empty line of text"),
    ("data.digits.path", r'"a\0"', r"is 'a\x00'; allowed: one non-empty line of text"),
    ("data.digits.path", r'"\ud800"', r"is '\ud800'; allowed: "),
    (
        "data.digits.path",
        "https://example.org",
        "is 'https://example.org'; allowed: a local folder",
    ),
    (
        "data.digits.path",
        "s3://me:my-secret@host/x",
        "is 's3://***@host/x'; allowed: a local folder",
    ),
    ("data.photos.path", "${oc.env:HOME}", "is '${oc.env:HOME}'; allowed: a local folder or .zip"),
    ("data.photos.path", "???", "is '???'; allowed: a local folder or .zip file"),
]


@pytest.mark.parametrize(("key", "written", "said"), WRONG_VALUES)
def test_a_wrong_value_is_one_line_with_its_key_and_what_is_allowed(tmp_path, key, written, said):
    check_message(tmp_path, with_value(key, written), f"{key} {said}")


LENET = "expected a section with the keys learning_rate, epochs, batch_size, seed, seeds"
LBP = "expected a section with the keys neighbours, radius, bins"
# old text, new text, what the message has to say
WRONG_KEYS = {
    "misspelt": ("  radius:", "  radus:", "unknown key features.lbp.radus; did you mean radius?"),
    "misspelt section": (
        "\nlenet:",
        "\nLenet:",
        "unknown key Lenet; did you mean lenet? allowed:",
    ),
    "of another section": ("  epochs: 2 ", "  momentum: 0.9 #", "unknown key densenet.momentum;"),
    "missing": (
        "  image_size: 32         # pixels",
        "  # ",
        "densenet.image_size is missing",
    ),
    "flat": ("\nlenet:", "\nlenet.epochs: 3\nlenet:", "unknown key 'lenet.epochs'; allowed: run"),
    "a number": ("\nlenet:", "\n1: 2\nlenet:", "unknown key 1; allowed: runtime, data"),
    "a truth": ("\nlenet:  ", "\nlenet:\n  true: 2 #", "unknown key lenet.True; allowed: learn"),
    "nothing": ("\nlenet:", "\n~: 2\nlenet:", "unknown key null; allowed: runtime"),
    "no letters": ("\nlenet:", '\n"": 2\nlenet:', "unknown key ''; allowed: runtime"),
    "a list": ("\nlenet:", "\n? [1, 2]\n: 3\nlenet:", "unknown key (1, 2); allowed: runtime"),
    "two lines": ("\nlenet:", '\n"a\\nb": 2\nlenet:', r"unknown key 'a\nb'; allowed: runtime"),
    "number for a section": ("\nlenet:", "\nlenet: 3\nx:", f"lenet is 3; {LENET} (and 1 more)"),
    "nothing for a section": ("\nlenet:", "\nlenet:\nx:", f"lenet is empty; {LENET}"),
    "text for a section": ("  lbp:", "  lbp: on\n  x:", f"features.lbp is 'on'; {LBP}"),
    "list for a section": ("  lbp:", "  lbp: [5, 2]\n  x:", f"features.lbp is [5, 2]; {LBP}"),
    "two mistakes": (
        "  radius: 2",
        "  r: 2",
        "unknown key features.lbp.r; allowed: neighbours, rad",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_a_wrong_key_is_one_line_with_its_place_and_what_is_allowed(tmp_path, old, new, said):
    assert TEXT.count(old) == 1
    check_message(tmp_path, TEXT.replace(old, new), said)


def test_of_two_mistakes_the_first_is_told_and_the_other_is_counted(tmp_path):
    text = TEXT.replace("epochs: 20\n  batch_size: 64", "epochs: 0\n  batch_size: 0")
    check_message(
        tmp_path, text, "perceptron.epochs is 0; allowed: greater than or equal to 1 (and 1"
    )


# what stands in the file, what the message has to say
UNREADABLE = {
    "nothing": (b"", ": the content is empty; expected a section with the keys runtime, data"),
    "nothing but a comment": (b"# lenet\n", ": the content is empty; expected a section"),
    "a list": (b"- runtime\n- data\n", ": the content is ['runtime', 'data']; expected a section"),
    "text": (b"lenet\n", ": the content is 'lenet'; expected a section"),
    "a key twice": (
        b"lenet: {epochs: 1}\nperceptron: 1\nlenet: {epochs: 2}\n",
        ', line 3: not valid YAML (found duplicate key "lenet"',
    ),
    "a key twice in a section": (b"lenet:\n  seed: 1\n  seed: 1\n", ", line 3: not valid YAML"),
    "not UTF-8": ("lenet: ü".encode("latin-1"), ": not UTF-8 text (byte 7)"),
    "a tab": (b"lenet:\n\tepochs: 3\n", ", line 2: not valid YAML (found character '\\t'"),
    "an open bracket": (b"lenet: [1, 2\ndata: 3\n", ", line 2: not valid YAML"),
    "two documents": (b"lenet: 1\n---\nlenet: 2\n", ", line 2: not valid YAML"),
    "NUL": (b"data: 1\nlenet: \0", ", line 2: not valid YAML (unacceptable character #x0000"),
    "an alias": (b"a: &a 1\nlenet: *a\n", ", line 2: not valid YAML (aliases are not allowed"),
    "a merge of sections": (b"a: &a {b: 1}\nlenet: {<<: *a}\n", ", line 2: not valid YAML (alias"),
    "a list in itself": (b"lenet: &a [*a]\n", ", line 1: not valid YAML (aliases are not allowed"),
    "a list as a key": (b"? [[1]]\n: 2\n", ", line 1: not valid YAML ("),
    "a bell": (b'lenet: "\x07"', ", line 1: not valid YAML (unacceptable character #x0007"),
    "an unknown alias": (b"lenet: *nobody\n", ", line 1: not valid YAML"),
    "a wrong truth": (b"data: 1\nlenet: !!bool maybe\n", ", line 2: not valid YAML ('maybe')"),
    "no such day": (b"data: 1\nlenet: 2020-13-45\n", ", line 2: not valid YAML (month"),
    "a number without end": (b"lenet: " + b"9" * 5000, ", line 1: not valid YAML (Exceeds"),
    "too many lists in lists": (b"- " * 600, ": not valid YAML (nested too deeply)"),
    "too many brackets": (b"[" * 501, ": more than 500 brackets; write one list item per line"),
    "much too long": (b"#" * 50_001, ": 50001 characters long; allowed: at most 50000"),
    "a call": (b"lenet: !!python/object/apply:os.getcwd []\n", ", line 1: not valid YAML"),
}


@pytest.mark.parametrize(("content", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_is_no_table_of_parameters_is_one_line(tmp_path, content, said):
    (tmp_path / "params.yaml").write_bytes(content)
    message = refusal(tmp_path / "params.yaml")
    assert message.startswith(said), message


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    assert refusal(tmp_path / "absent.yaml") == ": cannot be read (No such file or directory)"
    assert refusal(tmp_path) == ": cannot be read (Is a directory)"
    (tmp_path / "link").symlink_to("absent.yaml")
    assert refusal(tmp_path / "link") == ": cannot be read (No such file or directory)"
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == ": cannot be read (a pipe or device, not a file)"
    assert refusal(Path("/dev/zero")) == ": cannot be read (a pipe or device, not a file)"


def test_a_path_where_nothing_is_is_refused_and_so_is_a_device(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/pictures/photos").mkdir(parents=True)
    (tmp_path / "some.zip").touch()
    for path in ("some.zip", "data/pictures/photos"):
        check_pictures(check_params(content_with({"data.digits.path": path}), "x"))
    hostile = ("$(touch marker)", "; touch marker", "`touch marker`", "-rf", "a b")
    for path in ("absent", "../../nowhere", "/dev/zero", "a" * 5000, *hostile):
        params = check_params(content_with({"data.digits.path": path}), "x")
        with pytest.raises(UserError, match=r"^data\.digits\.path is '.*, which is neither a"):
            check_pictures(params)


def content_with(values: dict[str, object]) -> dict[str, object]:
    """What params.yaml holds, with other values."""
    content = copy.deepcopy(CONTENT)
    for key, value in values.items():
        *path, last = key.split(".")
        section = content
        for part in path:
            section = section[part]
        section[last] = value
    return content


@pytest.mark.parametrize("written", ["1e-4", "1.0e-4", "0.0001", "1E-04"])
def test_a_rate_can_be_written_in_any_usual_way(tmp_path, written):
    old = "learning_rate: 10\n"
    (tmp_path / "file").write_text(TEXT.replace(old, f"learning_rate: {written}\n"))
    assert read_params(tmp_path / "file").perceptron.learning_rate == 0.0001


@pytest.mark.parametrize(("old", "new"), [("\n", "\r\n"), ("# yaml", "\ufeff# yaml")])
def test_what_a_windows_editor_does_to_a_file_changes_nothing(tmp_path, old, new):
    (tmp_path / "file").write_bytes(TEXT.replace(old, new).encode())
    assert read_params(tmp_path / "file") == read_params(FILE)


def sections(content: dict[str, object]) -> list[tuple[str, ...]]:
    """The places of all sections: `()` for the whole, then such as `("data", "digits")`."""
    found: list[tuple[str, ...]] = [()]
    for key, value in content.items():
        if isinstance(value, dict):
            found += [(key, *inner) for inner in sections(value)]
    return found


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, 2**63, 2**32, 10, 1, 0, -1])
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=8)
    | st.sampled_from(["auto", "cuda", "mnist", "folder", "1e-4", "true", "lenet"])
)
KEYS = st.text(st.characters(exclude_categories=()), max_size=5) | SCALARS.filter(
    lambda key: not (isinstance(key, float) and math.isnan(key))  # it could not be found again
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@examples(1000)
@given(st.data())
def test_any_value_at_any_key_is_valid_as_it_stands_or_one_line(data):
    content = copy.deepcopy(CONTENT)
    for _ in range(data.draw(st.integers(1, 2))):
        section = content
        for key in data.draw(st.sampled_from(sections(content))):
            section = section[key]
        key = data.draw(st.sampled_from([*map(str, section), "new"]) | KEYS)
        section[key] = data.draw(VALUES)
    try:
        checked = check_params(content, "params.yaml")
    except UserError as error:
        message = str(error)
        assert len(message.splitlines()) == 1, message
        assert message.startswith("params.yaml: ")
        assert len(message) < 300
    else:
        assert isinstance(checked, Params)
        assert checked.model_dump() == content
        assert all(
            math.isfinite(value)
            for value in flatten(content).values()
            if isinstance(value, (int, float))
        )


YAML_PIECES = [
    "a", "1", "é", ":", ": ", "-", "- ", "[", "]", "{", "}", ",", "&a ", "*a", "#", '"', "'", "? ",
    "|", ">", "%", "@", "~", "\\", "---", "<<", "0x", "2020-02-30", " ", "\n", "\n  ", "\t", "\0",
    "!!bool ", "!!int ", "!!float ", "!!timestamp ", "!!set ", "!!omap ", "!!pairs ", "!!binary ",
]  # fmt: skip


@examples(1000)
@given(st.lists(st.sampled_from(YAML_PIECES), max_size=15).map("".join) | st.text(max_size=20))
def test_any_text_is_yaml_or_one_line(text):
    try:
        parse_yaml(text, "the file")
    except UserError as error:
        message = str(error)
        assert len(message.splitlines()) == 1, message
        assert message.startswith("the file")
