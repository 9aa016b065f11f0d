"""Which of our modules a module imports, read off the source."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"


def module_file(name: str) -> Path | None:
    """The file of a module of ours, if there is one of that name."""
    path = SOURCE.joinpath(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.exists():
            return candidate
    return None


def direct_imports(file: Path) -> set[str]:
    """The names of our modules that `file` imports when it runs (not those for type checkers)."""
    names: set[str] = set()
    stack: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        stack.extend(ast.iter_child_nodes(node))
    return {name for name in names if name.split(".")[0] == "dlvc" and module_file(name)}


def import_closure(module: str, *, without: str | None = None) -> set[str]:
    """Paths, relative to the project's root, of all our files that run when `module` is run.

    A package `without` is left out, and with it what nothing but that package imports.
    """
    seen: set[str] = set()
    stack = [module]
    while stack:
        name = stack.pop()
        if name in seen or (without and f"{name}.".startswith(f"{without}.")):
            continue
        seen.add(name)
        parts = name.split(".")
        stack.extend(".".join(parts[:length]) for length in range(1, len(parts)))
        file = module_file(name)
        assert file is not None, name
        stack.extend(direct_imports(file))
    files = {module_file(name) for name in seen}
    # An empty package file has nothing to run.
    return {str(file.relative_to(ROOT)) for file in files if file and not _is_docstring_only(file)}


def _is_docstring_only(file: Path) -> bool:
    return all(isinstance(node, ast.Expr) for node in ast.parse(file.read_text()).body)
