"""dvcview.yaml: every key may be left out, and a mistake is one line."""

from __future__ import annotations

import pytest

from dvcview.errors import UserError
from dvcview.project.config import Config, read_config
from tests.imports import ROOT


def test_a_project_without_configuration_has_the_defaults(tmp_path):
    assert read_config(tmp_path) == Config()
    assert Config().import_log_model() is None


def test_the_course_names_files_and_a_function_that_exist():
    config = read_config(ROOT)
    assert (ROOT / config.experiments).exists()
    assert config.pictures == "figures/sources.json"
    assert config.import_log_model().__module__ == "dlvc.logged_model.log"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("experiment: a.yaml", "'experiment' is not known; allowed: experiments, pictures, log_mo"),
        ("pictures: 3", "pictures is 3; allowed: text"),
        ("[a]", "it is ['a']; allowed: the keys experiments, pictures, log_model"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, text, message):
    (tmp_path / "dvcview.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_config(tmp_path)
    assert str(caught.value).startswith(f"dvcview.yaml: {message}")
