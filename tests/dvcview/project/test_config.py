"""dvcview.yaml: every key may be left out, and a mistake is one line."""

from __future__ import annotations

import pytest

from dvcview.errors import UserError
from dvcview.project.config import Config, read_config
from tests.imports import ROOT


def test_a_project_without_configuration_has_the_defaults(tmp_path):
    assert read_config(tmp_path) == Config(name=tmp_path.name)
    assert Config().import_callback() is None
    assert Config().import_checks() == ()


def test_the_course_names_files_and_a_function_that_exist():
    config = read_config(ROOT)
    assert (ROOT / config.experiments).exists()
    assert config.pictures == "figures/sources.json"
    assert config.import_callback().__module__ == "dlvc.logged_model.log"
    assert len(config.import_checks()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("experiment: a.yaml", "'experiment' is not known; allowed: name, experiments, axes, "),
        ("pictures: 3", "pictures is 3; allowed: text"),
        ("[a]", "it is ['a']; allowed: the keys name, experiments, axes"),
        ("columns: a", "columns is 'a'; allowed: a list"),
        ("columns: [1]", "columns is [1]; allowed: a list of texts"),
        ("charts: [a]", "charts is ['a']; allowed: a mapping"),
        ("charts: {a: b}", "charts.a is 'b'; allowed: a list of texts"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, text, message):
    (tmp_path / "dvcview.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_config(tmp_path)
    assert str(caught.value).startswith(f"dvcview.yaml: {message}")
