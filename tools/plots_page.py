"""Writes the HTML template of `dvc plots` with Vega's code in it, so that it works offline.

DVC's own template loads that code from the network. `make plots` and the set-up write ours to
.dlvc/plots.html and name it in .dvc/config.local. DVC fails if the named file is missing, so
nothing else writes that configuration.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dvcview.console import run_command
from dvcview.errors import UserError
from dvcview.files.artifacts import write_bytes

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
main { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
main > div { padding: 1rem; background: white; border: 1px solid #ddd !important; }
main > div > div { border: none !important; }
p { margin: 0 0 .5rem; text-align: left; font-size: .85rem; color: #555; }
main > div > p { font-weight: 600; color: #222; }
img { max-width: 40rem; height: auto; }
</style>
<script>(() => {<VEGA>})();</script>
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
    return HTML.replace("<VEGA>", javascript_bundle(EMBED))


def main() -> None:
    """Write the template and configure this checkout's DVC to use it."""
    if not Path(".dvc").is_dir():
        raise UserError(f"no .dvc in {Path.cwd()}; run this in the project's folder")
    write_bytes(PAGE, draw_page().encode())
    command = [sys.executable, "-m", "dvc", "config", "--local", "plots.html_template"]
    subprocess.run([*command, f"../{PAGE}"], check=True)  # relative to .dvc


if __name__ == "__main__":
    run_command(main)
