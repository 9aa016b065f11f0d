"""Overlays on params.yaml, and their way through the grammar of the DVC that takes them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides, to_hydra_overrides
from hypothesis import assume, example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dlvc.params.overrides import (
    as_overrides,
    check_overlay,
    parse_overrides,
    read_profile,
)
from dlvc.params.reader import read_params
from dvcview.errors import UserError
from dvcview.files.yaml_files import read_yaml
from dvcview.project.params import flatten
from tests.examples import examples
from tests.imports import ROOT

NAMES = sorted(path.stem for path in (ROOT / "profiles").glob("*.yaml"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with our params.yaml and profiles, in which the test works."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def one_line(caught: pytest.ExceptionInfo[UserError]) -> str:
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    assert len(message) < 250
    return message


def set_by_dvc(file: Path, values: dict[str, Any]) -> None:
    """Change a YAML file as `dvc exp run` does with our words."""
    words = as_overrides(values)
    assert words[::2] == ["-S"] * len(values)
    by_file = to_path_overrides(words[1::2])  # what stands before a colon would name another file
    assert set(by_file) <= {"params.yaml"}
    overrides = by_file.get("params.yaml", [])
    assert not any(override.is_sweep_override() for override in to_hydra_overrides(overrides))
    apply_overrides(file, overrides)


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_valid_and_names_the_same_keys_as_the_others(project, name):
    assert read_profile(name).keys() == read_profile("default").keys()


def test_the_default_profile_is_what_params_yaml_has_as_committed(project):
    committed = flatten(read_yaml(project / "params.yaml"))
    assert committed | read_profile("default") == committed


def test_the_course_profile_is_as_lectured():
    values = flatten(read_yaml(ROOT / "profiles/course.yaml"))
    assert values == {
        "runtime.reproducible": "machine",
        "data.digits.source": "mnist",
        "data.photos.source": "cifar10",
        "perceptron.seeds": 30,
        "optimizers.seeds": 10,
        "update_rules.per_epoch.seeds": 30,
        "update_rules.per_batch.seeds": 10,
        "update_rules.per_sample.seeds": 10,
        "lenet.seeds": 10,
        "densenet.image_size": 224,
        "densenet.epochs": 10,
        # Every exercise is on, on all images.
        "claims.perceptron.seeds": 10,
        "claims.per_epoch.images": 60_000,
        "claims.per_epoch.epochs": 6000,
        "claims.per_epoch.seeds": 3,
        "claims.sgd.images": 60_000,
        "claims.sgd.epochs": 1000,
        "claims.per_sample.images": 60_000,
        "claims.per_sample.seeds": 10,
        "claims.batch_sizes.images": 60_000,
        "claims.batch_sizes.epochs": 3,
        "claims.batch_sizes.seeds": 11,
        "claims.momentum.images": 60_000,
        "claims.momentum.seeds": 10,
        "claims.lenet.epochs": 100,
        "claims.lenet_sgd.epochs": 6,
        "claims.resnet.image_size": 224,
        "claims.resnet.epochs": 10,
    }


@pytest.mark.parametrize("name", NAMES)
def test_dvc_writes_a_profile_into_params_yaml_and_changes_nothing_else(project, name):
    before = flatten(read_yaml(project / "params.yaml"))
    set_by_dvc(project / "params.yaml", read_profile(name))
    assert flatten(read_yaml(project / "params.yaml")) == before | read_profile(name)
    read_params(project / "params.yaml")


def test_a_profile_can_be_taken_back_with_the_default_one(project):
    before = read_yaml(project / "params.yaml")
    set_by_dvc(project / "params.yaml", read_profile("course"))
    assert read_yaml(project / "params.yaml") != before
    set_by_dvc(project / "params.yaml", read_profile("default"))
    assert read_yaml(project / "params.yaml") == before


@pytest.mark.parametrize("name", ["corse", "", "course.yaml", "../params", "a\nb"])
def test_an_unknown_profile_is_one_line_with_those_there_are(project, name):
    with pytest.raises(UserError, match="allowed: course, default, laptop") as caught:
        read_profile(name)
    assert one_line(caught).startswith(f"unknown profile {name!r}")


# what stands in profiles/mine.yaml, what the message has to say
BAD_PROFILES = {
    "nothing": ("", "the content is empty; expected sections as in params.yaml"),
    "a list": ("[lenet]", "the content is ['lenet']; expected sections"),
    "a long text": ("many words " * 99, "the content is 'many words many"),
    "unknown section": ("lenot: {epochs: 3}", "unknown key lenot; did you mean lenet?"),
    "unknown key": ("lenet: {epoch: 3}", "unknown key lenet.epoch; did you mean epochs?"),
    "unknown section without a key": ("lenot: {}", "unknown key lenot; did you mean lenet?"),
    "section without a key": ("lenet: {}", "lenet.learning_rate is missing"),
    "section without a value": ("lenet:", "lenet is empty; expected a section"),
    "value for a section": (
        "data: {digits: mnist}",
        "data.digits is 'mnist'; expected a section",
    ),
    "section for a value": ("lenet: {epochs: {a: 3}}", "epochs is a value, not a section"),
    "nothing for a value": ("lenet: {epochs: {}}", "lenet.epochs is {}; allowed: integer"),
    "wrong value": ("lenet: {epochs: many}", "lenet.epochs is 'many'; allowed: integer"),
    "number as a key": ("lenet: {1: 2}", "unknown key lenet.1; allowed: learning_rate"),
    "section in itself": ("lenet: &a {seed: *a}", "line 1: not valid YAML (aliases are not"),
    "key of a value that cannot be shown": (
        'lenet: {epochs: {"\\e": 3}}',
        r"unknown key lenet.epochs.'\x1b';",
    ),
    "no YAML": ("lenet: {epochs: 3", "not valid YAML"),
}


@pytest.mark.parametrize(("text", "said"), BAD_PROFILES.values(), ids=BAD_PROFILES)
def test_a_bad_profile_is_one_line_with_its_file_and_key(project, text, said):
    (project / "profiles/mine.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_profile("mine")
    message = one_line(caught)
    assert message.startswith("profiles/mine.yaml")
    assert said in message


def test_a_bad_params_yaml_is_named_and_not_the_overlay_on_it(project):
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("epochs: 20", "epochs: 0"))
    with pytest.raises(UserError, match=r"^params\.yaml: perceptron\.epochs is 0"):
        check_overlay({"perceptron.epochs": 3}, "the values given")


# words of a command line, what the message has to say
BAD_WORDS = {
    "no dashes": (
        ["lenet.epochs", "3"],
        "unknown argument 'lenet.epochs'; expected --section.key",
    ),
    "one dash": (["-lenet.epochs", "3"], "unknown argument '-lenet.epochs'"),
    "no value": (["--lenet.seed", "3", "--lenet.epochs"], "--lenet.epochs has no value"),
    "two values": (["--lenet.epochs", "3", "4"], "unknown argument '4'"),
    "only dashes": (["--", "3"], "unknown key ''; allowed: runtime, data"),
    "no key": (["--=3"], "unknown key ''; allowed: runtime, data"),
    "no key after the dot": (["--lenet.=3"], "unknown key lenet.''; allowed: learning_rate"),
    "unknown key": (["--lenet.epoch", "3"], "unknown key lenet.epoch; did you mean epochs?"),
    "key of a value": (["--lenet.epochs.first", "3"], "epochs is a value, not a section"),
    "no number": (
        ["--lenet.epochs=--lenet.seed"],
        "lenet.epochs is '--lenet.seed'; allowed: integer",
    ),
    "empty value": (["--lenet.epochs="], "lenet.epochs is empty; allowed: integer"),
    "section": (["--lenet", "{epochs: 3, epoch: 4}"], "unknown key lenet.epoch; did you mean"),
    "the same twice": (["--lenet.seed=3", "--lenet.seed=4"], "--lenet.seed is given twice"),
    "twice, once in its section": (
        ["--lenet={seed: 3}", "--lenet.seed=4"],
        "--lenet.seed is given twice",
    ),
    "sign of Hydra's": (["--+lenet.seed=3"], "unknown key '+lenet'; did you mean lenet?"),
    "sign of Hydra's for taking away": (["--~lenet.seed=3"], "unknown key '~lenet'"),
    "a long word": (["x" * 5000], "unknown argument 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."),
    "a long key": (["--lenet.seed" + ".x" * 5000, "3"], "unknown key lenet.seed.x.x.x...."),
    "a long value": (["--lenet.seed", "[" * 5000], "--lenet.seed '[[[["),
    "a password": (["--data.digits.path", "x://me:" + "sesame/" * 9 + "@x"], "is 'x://***@x'; "),
    "no YAML": (["--lenet.epochs", "[1"], "--lenet.epochs '[1', line 1: not valid YAML"),
    "no such day": (["--lenet.epochs", "2020-13-45"], "not valid YAML (month"),
    "wrong truth": (["--lenet.epochs", "!!bool maybe"], "not valid YAML"),
    "two lines": (["--lenet.epochs", "a\nb"], r"lenet.epochs is 'a\nb'; allowed: integer"),
    "key of two lines": (["--lenet.a\nb", "3"], r"unknown key lenet.'a\nb'"),
}


@pytest.mark.parametrize(("words", "said"), BAD_WORDS.values(), ids=BAD_WORDS)
def test_words_that_are_no_values_are_one_line(project, words, said):
    with pytest.raises(UserError) as caught:
        check_overlay(parse_overrides(words), "the values given")
    assert said in one_line(caught)


def test_a_part_of_a_section_can_be_given_at_once_and_goes_through_dvc(project):
    before = flatten(read_yaml(project / "params.yaml"))
    values = parse_overrides(["--lenet", "{epochs: 3, seed: 4}"])
    check_overlay(values, "the values given")
    set_by_dvc(project / "params.yaml", values)
    after = flatten(read_yaml(project / "params.yaml"))
    assert after == before | {"lenet.epochs": 3, "lenet.seed": 4}


def test_an_alias_is_refused_because_dvc_would_change_two_sections_at_once(tmp_path):
    """What our reason for it says, seen in DVC itself."""
    (tmp_path / "file.yaml").write_text("a: &a\n  epochs: 1\nb: *a\n")
    apply_overrides(tmp_path / "file.yaml", ["b.epochs=5"])
    content = YAML(typ="safe").load(tmp_path / "file.yaml")
    assert content == {"a": {"epochs": 5}, "b": {"epochs": 5}}


def test_dollar_and_brace_are_refused_because_dvc_would_show_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("KEY", "sesame")
    (tmp_path / "file.yaml").write_text("a: ${oc.env:KEY}\nb: 1\n")
    apply_overrides(tmp_path / "file.yaml", ["b=2"])
    assert "sesame" in (tmp_path / "file.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("1e-4", 0.0001),
        ("true", True),
        ("~/pictures", "~/pictures"),
        ("a=b=c", "a=b=c"),
        (r"C:\pictures\new", r"C:\pictures\new"),
        ("pictures #2", "pictures #2"),
        ("  two  spaces", "  two  spaces"),
        ("'3'", "3"),
        (" '3'", "3"),
        ('"a\\"b"', 'a"b'),
    ],
)
def test_a_value_is_yaml_and_text_without_quotes_is_taken_as_it_stands(text, value):
    for words in (["--data.digits.path", text], [f"--data.digits.path={text}"]):
        assert parse_overrides(words) == {"data.digits.path": value}


# Each has been, or could be, taken for something else on the way.
TEXTS = [
    "a b", " a ", "it's", 'say "x"', "'", '"', "''", "a=b", "a,b", "a:b", "a: b", "a #b", "~",
    "~/x", "日本/é", "é", "C:\\x\\y", "C:\\", "\\\\server\\x\\", "\\'", "a\\'b", "a\\\\'b", "a\\b",
    "12", "-1", "1e-4", "1_000", "0x10", ".5", "5.", "1:30", "2020-01-01", "true", "False", "null",
    "NaN", "inf", "-inf", "yes", "on", "None", "$", "$x", "$(x)", "glob(*)", "choice(a,b)",
    "a,b,c", "[a]", "{a: 1}", "(", "-", "--x", "@x", "+a", "%", "!x", "&a", "*a", "|", ">", "?",
    "...", "---", "a-b", "\\\\", "x" * 300, "a " * 100,
]  # fmt: skip


SMALL = {"inner.a": "x", "inner.b": 1, "inner.c": 0.5}  # much quicker than the whole params.yaml


@pytest.fixture(scope="module")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("small") / "params.yaml"


def through_dvc(file: Path, values: dict[str, Any]) -> dict[str, Any]:
    file.write_text("inner:\n  a: x\n  b: 1\n  c: 0.5\n", encoding="utf-8")
    assert flatten(read_yaml(file)) == SMALL
    set_by_dvc(file, values)
    return flatten(read_yaml(file))


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_goes_through_dvc_unchanged(small_file, text):
    values = {"inner.a": text, "inner.c": f"{text} and {text}"}
    assert through_dvc(small_file, values) == SMALL | values


def test_texts_that_are_hard_to_write_are_valid_paths_and_are_kept_by_dvc(project):
    before = flatten(read_yaml(project / "params.yaml"))
    for text in ("日本/it's a = b, c", "C:\\x y\\", '~/"$HOME" #1'):
        values = {"data.digits.path": text, "data.photos.path": "1e-4", "lenet.learning_rate": 1e-5}
        check_overlay(values, "the values given")
        set_by_dvc(project / "params.yaml", values)
        assert flatten(read_yaml(project / "params.yaml")) == before | values


# Params allows no control characters, no line separators, no "${" and no "???" in a text.
LINES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1)
TRICKY = st.text("\\'\"${}()[]a1 =,:.#~-é", min_size=1)
NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)


@examples(60)
@given(
    st.dictionaries(st.sampled_from("abc"), LINES | TRICKY | NUMBERS | st.booleans(), min_size=1)
)
@example({"a": 1e-4, "b": 5e-324, "c": 1e16})
@example({"a": True, "b": "True", "c": "1"})
def test_any_value_goes_through_dvc_unchanged(small_file, values):
    assume(not any("${" in str(value) or value == "???" for value in values.values()))
    values = {f"inner.{key}": value for key, value in values.items()}
    after = through_dvc(small_file, values)
    assert after == SMALL | values
    assert all(type(after[key]) is type(value) for key, value in values.items())
