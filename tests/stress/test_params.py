"""A few hundred of the broken parameters of `python -m tests.stress.params`, and its judgement."""

from __future__ import annotations

import pytest

from tests.imports import ROOT
from tests.stress import params
from tests.stress.broken_params import KINDS, Broken

TEXT = (ROOT / "params.yaml").read_bytes()


def test_every_broken_input_is_refused_in_one_line_and_nothing_else_is():
    said: list[str] = []
    found = params.run_rounds(30 * len(KINDS), 7, said.append)
    assert found == []
    rows = {row.split(" | ")[0].strip("| "): row.split(" | ")[1:] for row in said if "|" in row}
    for kind in KINDS:
        inputs, refused, accepted, findings, _ = rows[kind]
        assert (inputs, findings) == ("30", "0")
        assert int(refused) + int(accepted) == 30
    assert rows["wrong values"][1] == "30"
    assert rows["odd, but valid"][2] == "30"


@pytest.mark.parametrize(
    ("broken", "finding"),
    [
        (Broken(TEXT, valid=False), "taken as valid"),
        (Broken(b"lenet: 3", valid=True), "refused what is valid"),
        (Broken(b"lenet: 3", valid=False, names="densenet.seed"), "does not name densenet.seed"),
    ],
)
def test_the_campaign_finds_what_is_wrong(tmp_path, monkeypatch, broken, finding):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles").mkdir()
    found, refused = params.judge(broken)
    assert found.startswith(finding)
    assert not refused


@pytest.mark.parametrize(
    ("wrong", "finding"),
    [
        (lambda _: (_ for _ in ()).throw(ValueError("ours")), "ValueError: ours"),
        (lambda _: params.PARAMS_FILE.unlink(), "files have changed"),
        (lambda _: params.time.sleep(60), "TooLongError"),
    ],
    ids=["a traceback", "a file is gone", "a hang"],
)
def test_the_campaign_finds_what_the_code_does_wrong(tmp_path, monkeypatch, wrong, finding):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles").mkdir()
    monkeypatch.setattr(params, "PATIENCE", 2)
    monkeypatch.setattr(params, "check", wrong)
    found, refused = params.judge(Broken(TEXT, valid=None))
    assert found.startswith(finding)
    assert not refused
