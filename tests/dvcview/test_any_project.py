"""`dvcview` in projects that are not ours: real DVC, a real MLflow store, no configuration."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

SYNCED = "shows the state of dvc.lock"
AGAIN = "MLflow shows the state of dvc.lock.\n"


class Foreign:
    """A folder with a DVC project, and a shell in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def make(cls, root: Path, files: dict[str, str], *, below: str = "") -> Foreign:
        """Write the files, run the pipeline, commit. `below` is DVC's folder in the repository."""
        root.mkdir(exist_ok=True)
        top, project = cls(root), cls(root / below)
        project.root.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (project.root / name).parent.mkdir(parents=True, exist_ok=True)
            (project.root / name).write_text(text)
        top.shell("git init --quiet --initial-branch=main")
        top.shell("git config user.name test && git config user.email test@example.invalid")
        project.shell("dvc init --quiet" + (" --subdir" if below else ""))
        return project

    def run(self) -> None:
        """Run every pipeline, and commit what came out."""
        self.shell("dvc repro --quiet --recursive .")
        self.commit()

    def commit(self) -> None:
        self.shell("git add --all . && git commit --quiet --message results")

    def shell(self, command: str, *, exit_code: int = 0, **environment: str) -> str:
        """What a shell command prints, errors included."""
        foreign = ("MLFLOW_", "DVC_", "DVCVIEW_", "GIT_")
        kept = {name: v for name, v in os.environ.items() if not name.startswith(foreign)}
        programs = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.root, env={**kept, "PATH": programs, **environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == exit_code, f"{command}\n{done.stdout}"
        return done.stdout

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.root / 'mlflow.db'}")

    def runs(self) -> dict[str, list]:
        """The runs by stage."""
        client = self.client
        found: dict[str, list] = {}
        for experiment in client.search_experiments():
            for run in client.search_runs([experiment.experiment_id]):
                if "stage" in run.data.tags:
                    found.setdefault(run.data.tags["stage"], []).append(run)
        return found

    def only_runs(self) -> dict[str, object]:
        """The runs by stage, each of which has one, finished."""
        every = self.runs()
        assert {stage: [run.info.status for run in runs] for stage, runs in every.items()} == {
            stage: ["FINISHED"] for stage in every
        }
        return {stage: run for stage, (run,) in every.items()}

    def curve(self, run, metric: str) -> list[tuple[int, float]]:
        return [(p.step, p.value) for p in self.client.get_metric_history(run.info.run_id, metric)]

    def artifacts(self, run, folder: str | None = None) -> set[str]:
        found = set()
        for entry in self.client.list_artifacts(run.info.run_id, folder):
            found |= self.artifacts(run, entry.path) if entry.is_dir else {entry.path}
        return found


THREE_STAGES = {
    "dvc.yaml": """
stages:
  get:
    cmd: mkdir -p data && echo 1 > data/raw.txt
    outs: [data/raw.txt]
  fit:
    cmd: python fit.py
    deps: [fit.py, data/raw.txt]
    outs: [model.bin, note.md, pictures]
    metrics:
      - final.json: {cache: false}
    plots:
      - history.csv: {x: step, y: loss}
  check:
    cmd: grep -q 1 data/raw.txt
    deps: [data/raw.txt]
""",
    "fit.py": """
from pathlib import Path
Path("model.bin").write_bytes(bytes(100))
Path("note.md").write_text("a note")
Path("pictures").mkdir(exist_ok=True)
Path("pictures/one.png").write_bytes(b"not really")
Path("pictures/weights.bin").write_bytes(b"w")
Path("final.json").write_text('{"loss": 0.25, "best": {"loss": NaN}, "by": "hand", "ok": true}')
Path("history.csv").write_text("step,loss,note\\n10,0.5,a\\n20,0.25,b\\n")
""",
}


@pytest.fixture(scope="module")
def three_stages(tmp_path_factory):
    """A project without parameters, one of whose stages has no outs."""
    project = Foreign.make(tmp_path_factory.mktemp("any") / "three", THREE_STAGES)
    project.run()
    project.shell("dvcview sync")
    return project


def test_every_stage_has_one_finished_run_in_an_experiment_named_after_the_project(three_stages):
    runs = three_stages.only_runs()
    assert set(runs) == {"get", "fit", "check"}
    client = three_stages.client
    names = {client.get_experiment(run.info.experiment_id).name for run in runs.values()}
    assert names == {"three"}
    assert {run.info.run_name for run in runs.values()} == {"get", "fit", "check"}
    assert three_stages.shell("dvcview sync") == AGAIN
    assert three_stages.shell("git status --porcelain") == "?? mlflow.db\n?? mlruns/\n"


def test_a_run_shows_metrics_curves_pictures_texts_and_md5s(three_stages):
    run = three_stages.only_runs()["fit"]
    # The final loss is the end of its curve, and so not logged a second time.
    assert set(run.data.metrics) == {"loss", "best.loss"}
    assert math.isnan(run.data.metrics["best.loss"])
    assert three_stages.curve(run, "loss") == [(10, 0.5), (20, 0.25)]
    assert run.data.tags["by"] == "hand"
    assert three_stages.artifacts(run) == {
        "note.md", "pictures/one.png", "final.json", "history.csv", "provenance.json",
    }  # fmt: skip
    commit = three_stages.shell("git rev-parse HEAD").strip()
    assert run.data.tags["dvc.commit"] == commit
    file = three_stages.client.download_artifacts(run.info.run_id, "provenance.json")
    provenance = json.loads(Path(file).read_text())
    assert len(provenance["deps"]["fit.py"]) == 32
    assert provenance["outs"]["pictures"].endswith(".dir")
    assert "dvc.restore" not in three_stages.only_runs()["check"].data.tags


def test_a_file_leads_to_its_run_and_a_missing_one_to_a_line(three_stages):
    run = three_stages.only_runs()["fit"]
    assert run.info.run_id in three_stages.shell("cd pictures && dvcview which one.png")
    assert three_stages.shell("dvcview which fit.py", exit_code=2).startswith("error: fit.py is no")
    assert "intact" in three_stages.shell("dvcview verify")


MANY = {
    "params.json": json.dumps({"seed": 1, "opt": {"rate": 0.5}}),
    "more.toml": "seed = 2\n[deep]\nlayers = 3\n",
    "copy.py": """
import sys
from pathlib import Path
source, target, *text = sys.argv[1:]
Path(target).parent.mkdir(parents=True, exist_ok=True)
Path(target).write_text(Path(source).read_text() if source != "-" else " ".join(text))
""",
    "dvc.yaml": """
stages:
  grid:
    matrix: {size: [1, 2], kind: [a, b]}
    cmd: python copy.py - out/${item.kind}-${item.size}.txt ${item.size}
    params:
      - params.json: [seed, opt.rate]
      - more.toml:
    outs: ["out/${item.kind}-${item.size}.txt"]
  each:
    foreach: {x: {n: 1}, y: {n: 2}}
    do:
      cmd: 'python copy.py - each-${key}.yaml "n: ${item.n}"'
      metrics:
        - each-${key}.yaml: {cache: false}
  toml:
    cmd: python copy.py - values.toml "accuracy = 0.5"
    metrics: [values.toml]
  frozen:
    frozen: true
    cmd: python copy.py - frozen.txt frozen
    outs: [frozen.txt]
""",
    "fit/dvc.yaml": """
stages:
  train:
    wdir: ..
    cmd: python copy.py added.csv fit/curve.tsv
    deps: [added.csv]
    outs: [fit/curve.tsv]
  up:
    cmd: cp curve.tsv up.txt
    deps: [curve.tsv]
    outs: [up.txt]
plots:
  - curve.tsv: {x: n}
""",
    "added.csv": "n\tloss\n1\t0.5\n2\t0.25\n",
}
STAGES = {
    *(f"grid@{size}-{kind}" for size in (1, 2) for kind in "ab"),
    *("each@x", "each@y", "toml", "frozen", "fit/dvc.yaml:train", "fit/dvc.yaml:up"),
}


@pytest.fixture(scope="module", params=["", "team/vision"], ids=["alone", "in a monorepo"])
def many(request, tmp_path_factory):
    """Matrix and foreach, JSON and TOML, two dvc.yaml files, `dvc add`, and a frozen stage."""
    project = Foreign.make(tmp_path_factory.mktemp("any") / "many", MANY, below=request.param)
    project.shell("dvc add --quiet added.csv && python copy.py - frozen.txt frozen")
    project.shell("dvc commit --force --quiet frozen")
    project.run()
    project.shell("dvcview sync")
    return project


@pytest.mark.full
def test_matrix_foreach_json_toml_and_two_dvc_yaml_files(many):
    runs = many.only_runs()
    assert set(runs) == STAGES
    params = runs["grid@2-b"].data.params
    assert params == {
        "params.json:seed": "1", "opt.rate": "0.5", "more.toml:seed": "2", "deep.layers": "3",
    }  # fmt: skip
    assert runs["each@y"].data.metrics == {"n": 2}
    assert runs["toml"].data.metrics == {"accuracy": 0.5}
    assert many.curve(runs["fit/dvc.yaml:train"], "loss") == [(1, 0.5), (2, 0.25)]
    assert many.artifacts(runs["frozen"]) == {"frozen.txt", "provenance.json"}
    assert many.shell("dvcview sync") == AGAIN


@pytest.mark.full
def test_files_are_restored_from_the_commit_of_their_run(many):
    command = many.only_runs()["fit/dvc.yaml:train"].data.tags["dvc.restore"]
    many.shell(f"{command} --out again.tsv")
    assert (many.root / "again.tsv").read_text() == MANY["added.csv"]
    (many.root / "again.tsv").unlink()
    assert "fit/dvc.yaml:up" in many.shell("cd fit && dvcview which up.txt")


@pytest.mark.full
@pytest.mark.parametrize("name", ["added.csv", "fit/up.txt", "each-x.yaml"])
def test_a_damaged_file_is_named_with_a_command_that_mends_it(many, name):
    before = (many.root / name).read_bytes()
    (many.root / name).write_bytes(before + b"!")
    found = many.shell("dvcview verify", exit_code=1).splitlines()
    (command,) = [line.strip() for line in found if line.startswith("    ")]
    assert any(line.startswith(f"{name}: its md5 is") for line in found)
    many.shell(command)
    assert (many.root / name).read_bytes() == before
    assert "intact" in many.shell("dvcview verify")


@pytest.mark.full
def test_experiments_restored_stages_and_pulled_results_have_runs(three_stages, tmp_path):
    remote = tmp_path / "remote"
    project = three_stages
    project.shell(f"dvc remote add --force --default away {remote} && dvc push --quiet")
    project.shell("echo '# other' >> fit.py && dvc exp run --quiet --name other")
    project.shell("git checkout --quiet fit.py && dvc repro --quiet")
    project.shell("dvcview sync")
    runs = project.runs()
    assert len(runs["fit"]) == 2  # of the experiment and of the workspace
    assert {run.info.status for run in runs["fit"]} == {"FINISHED"}
    assert {run.data.tags.get("dvc.experiment") for run in runs["fit"]} == {None, "other"}

    clone = Foreign(tmp_path / "clone")
    subprocess.run(["git", "clone", "--quiet", project.root, clone.root], check=True)
    missing = clone.shell("dvcview sync", exit_code=2)
    assert missing.startswith("error: no run was built for get, fit: the files are not on this")
    clone.shell(f"dvc remote add --force --default away {remote} && dvc pull --quiet")
    clone.shell("dvcview sync")
    assert set(clone.only_runs()) == {"get", "fit", "check"}


LIVE = {
    "dvc.yaml": """
stages:
  fit:
    cmd: python fit.py
    deps: [fit.py]
    params: [rate]
    plots: [loss.csv: {x: step, y: loss}]
""",
    "params.yaml": "rate: 0.5\n",
    "fit.py": """
from dvcview.tracking import stage_run
with stage_run() as run, open("loss.csv", "w") as file:
    file.write("step,loss\\n")
    for step in (1, 2, 3):
        file.write(f"{step},{1 / step}\\n")
        run.log_metrics({"loss": 1 / step}, step)
""",
}


def test_a_stage_can_be_watched_while_it_runs(tmp_path):
    project = Foreign.make(tmp_path / "live", LIVE)
    said = project.shell("dvcview run")
    assert SYNCED in said
    (run,) = project.runs()["fit"]
    assert run.info.status == "FINISHED"
    assert run.data.params == {"rate": "0.5"}
    assert project.curve(run, "loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert run.data.tags["mlflow.parentRunId"]
    names = {found.name for found in project.client.search_experiments()}
    assert names == {"live", "live executions"}


def test_a_parent_run_that_is_gone_is_replaced_by_one_of_the_execution(tmp_path):
    """A shell keeps `MLFLOW_RUN_ID` after the run is deleted, or the store is another one."""
    project = Foreign.make(tmp_path / "live", LIVE)
    assert SYNCED in project.shell("dvcview run", MLFLOW_RUN_ID="0" * 32)
    (run,) = project.runs()["fit"]
    parent = project.client.get_run(run.data.tags["mlflow.parentRunId"])
    assert (parent.info.run_name, parent.info.status) == ("dvc repro", "FINISHED")
    assert project.shell("dvcview sync") == AGAIN


ODD = {
    "dvc.yaml": """
stages:
  fit:
    cmd: python fit.py
    deps: [fit.py]
    outs:
      - dvclive/metrics.json: {cache: false}
      - dvclive/plots
      - OUTSIDE/model.bin: {cache: false}
    metrics: [train/metrics.json, test/metrics.json]
    plots: [train/roc.CSV, test/roc.csv, pandas.csv]
""",
    "dvclive/dvc.yaml": """
metrics: [metrics.json]
plots:
  - plots/metrics: {x: step}
""",
    "fit.py": """
from pathlib import Path
for n, part in enumerate(("train", "test")):
    Path(part).mkdir(exist_ok=True)
    Path(part, "metrics.json").write_text('{"acc": 0.%d}' % n)
    Path(part, f"roc.{'csv' if n else 'CSV'}").write_text(f"fpr,tpr\\n0,{n}\\n")
Path("pandas.csv").write_text(",a (b),x//y\\n0,1,2\\n1,3,4\\n")
Path("OUTSIDE/model.bin").write_bytes(b"m")
Path("dvclive/plots/metrics").mkdir(parents=True, exist_ok=True)
Path("dvclive/metrics.json").write_text('{"f1": 0.5}')
Path("dvclive/plots/metrics/loss.tsv").write_text("step\\tloss\\n10\\t0.5\\n20\\t0.25\\n")
""",
}


def test_odd_names_and_places_stop_nothing(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    files = {name: text.replace("OUTSIDE", str(outside)) for name, text in ODD.items()}
    project = Foreign.make(tmp_path / "odd", files)
    project.run()
    assert SYNCED in project.shell("dvcview sync", MLFLOW_TRACKING_URI="sqlite:///mlflow.db")
    run = project.only_runs()["fit"]
    assert run.data.metrics["train/metrics/acc"] == 0.0
    assert run.data.metrics["test/metrics/acc"] == 0.1
    assert (run.data.metrics["train/roc/tpr"], run.data.metrics["test/roc/tpr"]) == (0.0, 1.0)
    assert project.curve(run, "a _b_") == [(0, 1.0), (1, 3.0)]
    assert project.curve(run, "x/_/y") == [(0, 2.0), (1, 4.0)]
    assert run.data.metrics["f1"] == 0.5
    assert project.curve(run, "loss") == [(10, 0.5), (20, 0.25)]


TWINS = {
    f"{folder}/{name}": text.replace("RATE", rate)
    for folder, rate in (("a", "0.1"), ("b", "0.2"))
    for name, text in {
        "dvc.yaml": "stages:\n  fit:\n    cmd: python fit.py\n    deps: [fit.py]\n"
        "    outs: [model.txt]\n",
        "fit.py": "from pathlib import Path\nimport dvcview\nwith dvcview.stage_run() as run:\n"
        "    Path('model.txt').write_text('RATE')\n    run.log_metrics({'rate': RATE}, 1)\n",
    }.items()
}


def test_two_stages_of_one_name_are_told_apart_while_they_run(tmp_path):
    project = Foreign.make(tmp_path / "twins", TWINS)
    project.run()
    project.shell("dvcview sync")
    runs = project.only_runs()
    assert {stage: run.data.metrics["rate"] for stage, run in runs.items()} == {
        "a/dvc.yaml:fit": 0.1, "b/dvc.yaml:fit": 0.2,
    }  # fmt: skip
    project.shell("cd b && echo '# changed' >> fit.py && dvc repro --quiet && dvcview sync")
    assert len(project.runs()["b/dvc.yaml:fit"]) == 2
    assert len(project.runs()["a/dvc.yaml:fit"]) == 1


def test_an_experiment_that_dvc_cannot_read_is_named_and_the_others_are_shown(tmp_path):
    files = {
        "dvc.yaml": "vars: [local.yaml]\nstages:\n  fit:\n    cmd: echo ${rate} > out.txt\n"
        "    outs: [out.txt]\n",
        "local.yaml": "rate: 1\n",
        ".gitignore": "/local.yaml\n",
    }
    project = Foreign.make(tmp_path / "vars", files)
    project.run()
    project.shell("dvc exp run --quiet --force --name unreadable")
    said = project.shell("dvcview sync")
    assert "the experiment unreadable is not shown: DVC cannot read" in said
    assert set(project.only_runs()) == {"fit"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "there is no dvc.lock with a stage in "),
        ({"dvc.yaml": "stages: {a: {cmd: echo}}\n"}, "there is no dvc.lock with a stage in "),
        ({"dvc.yaml": "stages: [\n"}, "DVC cannot read this project: "),
        ({"dvc.yaml": "stages: {a: {cmd: x}}\n", "dvc.lock": "a:\n  cmd: x\n"}, "DVC cannot read"),
    ],
)
def test_a_project_without_results_is_one_line(tmp_path, files, message):
    project = Foreign.make(tmp_path / "empty", files)
    said = project.shell("dvcview sync", exit_code=2)
    assert said.startswith(f"error: {message}")
    assert said.count("\n") == 1
    assert not (project.root / "mlflow.db").exists()


def test_a_folder_without_dvc_is_one_line(tmp_path):
    said = Foreign(tmp_path).shell("dvcview sync", exit_code=2)
    assert said == f"error: no DVC project in {tmp_path} or above it; `dvc init` creates one\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("sqlite:////proc/mlflow.db", "/proc cannot be written to"),
        ("sqlite:////nowhere/mlflow.db", "/nowhere cannot be written to"),
        ("sqlite:///params.yaml", "params.yaml: file is not a database"),
        ("postgresql://me:secret@127.0.0.1:9/x", "postgresql://***@127.0.0.1:9/x: "),
        ("http://127.0.0.1:9", "http://127.0.0.1:9: "),
    ],
)
def test_a_store_that_cannot_be_opened_is_one_line_in_seconds(three_stages, address, reason):
    (three_stages.root / "params.yaml").write_text("a: text that is not a database\n")
    said = three_stages.shell("timeout 20 dvcview sync", exit_code=2, MLFLOW_TRACKING_URI=address)
    (three_stages.root / "params.yaml").unlink()
    assert said.startswith(f"error: MLflow is not available ({reason}")
    assert said.count("\n") == 1
    assert "secret" not in said
