"""Writes the HTML template of `dvc plots` with Vega's code in it, so that it works offline.

DVC's own template loads that code from the network. `make plots` and the set-up write ours to
.dlvc/plots.html and name it in .dvc/config.local. DVC fails if the named file is missing, so
nothing else writes that configuration.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from dvcview.console import run_command
from dvcview.errors import UserError
from dvcview.files.artifacts import write_bytes

KERNELS = "The kernels before training, after it, and what training has changed."
UPDATES = "The loss of each update. The three update rules make very different numbers of updates."
TWO_CURVES = (
    "The model learns during the epoch of the train curve, and the test curve comes after it. "
    "So test can be the better one."
)
# What each plot of dvc.yaml shows; a picture gets a title as well.
NOTES = {
    "perceptron, accuracy": ("", "Lecture 5: a linear layer on nine texture features of each "
                             "photograph, with one update per epoch."),
    "update rules, test accuracy": ("", "Lecture 24: the same MLP on digits, with one update per "
                                    "epoch, per batch or per image."),
    "update rules, train loss": ("", "Lecture 24: the mean loss of the training images in each "
                                 "epoch. The rules differ in the number of updates."),
    "optimizers, test accuracy": ("", "Lecture 25: the same MLP from the same initial weights, "
                                  "with three optimizers."),
    "optimizers, train loss": ("", "Lecture 25: the mean loss of the training images in each "
                               "epoch, with three optimizers."),
    "LeNet, accuracy": ("", f"Lecture 29: LeNet on digits. {TWO_CURVES}"),
    "LeNet, loss": ("", f"Lecture 29: LeNet on digits. {TWO_CURVES}"),
    "DenseNet, accuracy": ("", f"Lecture 40: DenseNet-121 on photographs. {TWO_CURVES}"),
    "DenseNet, loss": ("", f"Lecture 40: DenseNet-121 on photographs. {TWO_CURVES}"),
    "figures/kernels/lenet/conv1.png": ("LeNet: the first convolution", f"Lecture 29. {KERNELS}"),
    "figures/kernels/lenet/conv2.png": ("LeNet: the second convolution", f"Lecture 29. {KERNELS}"),
    "figures/kernels/densenet/conv0.png": (
        "DenseNet-121: the first convolution", f"Lecture 40. {KERNELS}"
    ),
    "figures/kernels/densenet/denselayer1_conv1.png": (
        "DenseNet-121: the first convolution of the first dense layer", f"Lecture 40. {KERNELS}"
    ),
    "figures/updates/per_epoch/update_losses.png": (
        "One update per epoch: train loss", f"Lecture 24. {UPDATES}"
    ),
    "figures/updates/per_batch/update_losses.png": (
        "One update per batch: train loss", f"Lecture 24. {UPDATES}"
    ),
    "figures/updates/per_sample/update_losses.png": (
        "One update per image: train loss", f"Lecture 24. {UPDATES}"
    ),
}  # fmt: skip
PAGE = Path(".dlvc/plots.html")
# SVG keeps text as text. The menu has only the two actions that need no other page.
EMBED = """
const options = {
    renderer: "svg",
    actions: {export: true, source: false, compiled: false, editor: false},
};
window.vegaEmbed = (element, specification) => vegaEmbed(element, specification, options);
"""
# DVC replaces {plot_divs} by its plots, whose style attributes have borders.
HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
{refresh_tag}
<title>dlvc: plots</title>
<style>
body { margin: 2rem; font-family: system-ui, sans-serif; color: #222; background: #f4f4f4; }
main { display: grid; gap: 1rem; max-width: 80rem; }
main { grid-template-columns: repeat(2, minmax(0, 1fr)); }
@media (max-width: 50rem) { main { grid-template-columns: minmax(0, 1fr); } }
main > div { padding: 1rem; background: white; border: 1px solid #ddd !important; }
main > div > div { border: none !important; white-space: normal; }
p { margin: 0 0 .5rem; text-align: left; font-size: .85rem; color: #555; }
main > div > p:first-child { font-weight: 600; color: #222; }
main > div > .note { margin: .5rem 0 0; color: #222; white-space: normal; }
img, main svg { max-width: 100%; height: auto; }
</style>
<script>(() => {<VEGA>})();</script>
<script>
const notes = <NOTES>;
const losses = "The mean loss of the test images after each epoch, from the first seed.";
addEventListener("DOMContentLoaded", () => {
    for (const plot of document.querySelectorAll("main > div")) {
        const [title, text] = notes[plot.id] || ["", plot.id.startsWith("results_") ? losses : ""];
        const heading = plot.querySelector(":scope > p");  // of a picture; Vega draws a chart's
        if (heading && title) heading.textContent = title;
        const note = document.createElement("p");
        note.className = "note";
        note.textContent = text;
        plot.append(note);
    }
});
</script>
</head>
<body>
<h1>Curves and pictures</h1>
<main>{plot_divs}</main>
</body>
</html>
"""


def draw_page() -> str:
    """The template; about 900 kB of it are Vega's code."""
    try:
        from vl_convert import javascript_bundle
    except ImportError:
        raise UserError(
            "vl-convert-python is missing in this environment; `make clean`, then `make plots`"
        ) from None
    notes = {re.sub(r"\W", "_", name): note for name, note in NOTES.items()}  # by DVC's id
    return HTML.replace("<NOTES>", json.dumps(notes)).replace("<VEGA>", javascript_bundle(EMBED))


def main() -> None:
    """Write the template and configure this checkout's DVC to use it."""
    if not Path(".dvc").is_dir():
        raise UserError(f"no .dvc in {Path.cwd()}; run this in the project's folder")
    write_bytes(PAGE, draw_page().encode())
    command = [sys.executable, "-m", "dvc", "config", "--local", "plots.html_template"]
    subprocess.run([*command, f"../{PAGE}"], check=True)  # relative to .dvc


if __name__ == "__main__":
    run_command(main)
