"""The page of `dvc plots`, in a browser that has no network."""

from __future__ import annotations

import html
import re
import shutil
import subprocess

import pytest

from tests.pipeline.project import Project

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=15000",
    "--enable-logging=stderr", "--dump-dom",
)  # fmt: skip
# Says in the page what a reader would see: how wide each picture is when all have been loaded.
PROBE = """<script>addEventListener("load", () => {
document.body.dataset.widths = [...document.images].map(image => image.naturalWidth).join(" ");
});</script>"""
CURVES = {
    "perceptron, accuracy": ("accuracy", "train", "test"),
    "update rules, test accuracy": ("test accuracy", "per epoch", "per batch", "per sample"),
    "update rules, train loss": ("train loss", "per epoch", "per batch", "per sample"),
    "optimizers, test accuracy": ("test accuracy", "sgd", "momentum", "adam"),
    "optimizers, train loss": ("train loss", "sgd", "momentum", "adam"),
    "LeNet, accuracy": ("accuracy", "train", "test"),
    "LeNet, loss": ("loss", "train", "test"),
    "DenseNet, accuracy": ("accuracy", "train", "test"),
    "DenseNet, loss": ("loss", "train", "test"),
}
TRAININGS = 9  # each with its own curve, after those that compare
PICTURES = 7

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here"),
]


class Page:
    """What Chromium makes of a page: its DOM, and what it said on the console."""

    def __init__(self, file, profile) -> None:
        page = file.with_name("probed.html")
        page.write_text(file.read_text(encoding="utf-8") + PROBE, encoding="utf-8")
        done = subprocess.run(
            [BROWSER, *QUIET, f"--user-data-dir={profile}", page.as_uri()],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        self.console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        self.dom = done.stdout[done.stdout.index("<body") :]
        self.widths = [int(n) for n in re.search(r'data-widths="(.*?)"', self.dom)[1].split()]

    def drawings(self) -> list[list[str]]:
        """The texts of each curve drawing, in order."""
        drawn = re.findall(r'<svg [^>]*class="marks".*?</svg>', self.dom, re.DOTALL)
        return [
            [html.unescape(t) for t in re.findall(r"<text[^>]*>(.*?)</text>", d)] for d in drawn
        ]


@pytest.fixture(scope="module")
def page_made(clone) -> Project:
    clone.call("python", "tools/plots_page.py")
    return clone


def test_every_plot_is_drawn_without_a_network(page_made, tmp_path):
    page_made.dvc("plots", "show")
    page = Page(page_made.root / "dvc_plots/index.html", tmp_path)
    assert page.console == []
    texts = {title: texts for texts in page.drawings() for title in CURVES if title in texts}
    assert list(texts) == list(CURVES)
    for title, (y_title, *curves) in CURVES.items():
        assert {"epoch", y_title, *curves} <= set(texts[title]), title
    assert not any("undefined" in texts for texts in page.drawings())
    notes = re.findall(r'<p class="note">(.*?)</p>', page.dom)
    assert len(notes) == len(page.drawings()) + PICTURES
    assert all(notes)
    assert "LeNet: the first convolution" in page.dom
    assert len(page.widths) == PICTURES
    assert min(page.widths) > 300
    assert 'src="static/workspace_figures_kernels_lenet_conv1.png"' in page.dom
    assert not re.search(r'(src|href)="(https?:)?//', page.dom)


def test_two_revisions_are_drawn_into_the_same_plot(page_made, tmp_path):
    """In a folder elsewhere, too: the page carries what it needs."""
    page_made.dvc("exp", "run", "-n", "three", "-S", "perceptron.epochs=3", "perceptron")
    page_made.dvc("plots", "diff", "HEAD", "three", "--out", str(tmp_path / "plots"))
    page_made.call("git", "checkout", "--quiet", ".")
    page_made.dvc("checkout")
    page = Page(tmp_path / "plots/index.html", tmp_path / "profile")
    assert page.console == []
    assert len(page.drawings()) == len(CURVES) + TRAININGS
    assert all({"HEAD", "three"} <= set(texts) for texts in page.drawings())
    assert len(page.widths) == 2 * PICTURES
    assert min(page.widths) > 300


def test_without_our_page_dvc_shows_its_own_which_needs_a_network(page_made, tmp_path):
    """So the test above sees what it claims to see; and a clone before the set-up has no error."""
    local = page_made.root / ".dvc/config.local"
    ours = local.read_text(encoding="utf-8")
    local.unlink()
    page_made.dvc("plots", "show", "--out", str(tmp_path / "plots"))
    local.write_text(ours, encoding="utf-8")
    page = Page(tmp_path / "plots/index.html", tmp_path / "profile")
    assert "https://" in (tmp_path / "plots/index.html").read_text(encoding="utf-8")
    assert page.drawings() == []
    assert any("ERR_" in line or "not defined" in line for line in page.console)


def test_other_folders_and_missing_code_are_one_line(page_made, tmp_path):
    elsewhere = subprocess.run(
        ["python", str(page_made.root / "tools/plots_page.py")], cwd=tmp_path,
        env=page_made.environment(PYTHONPATH=str(page_made.root / "src")),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert elsewhere.returncode == 2
    assert elsewhere.stderr.startswith("error: no .dvc in ")
    (tmp_path / "vl_convert.py").write_text("raise ImportError")
    path = f"src:{tmp_path}"
    missing = page_made.call("python", "tools/plots_page.py", ok=False, PYTHONPATH=path)
    assert missing.returncode == 2
    assert missing.stderr.startswith("error: vl-convert-python is missing")
    assert len(missing.stderr.splitlines()) == 1
