"""Which of our modules a module imports, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
PACKAGES = ("dlvc", "dvcview")


def module_file(name: str) -> Path | None:
    """The file of a module of ours, if there is one of that name."""
    path = SOURCE.joinpath(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.exists():
            return candidate
    return None


def name_of(file: Path) -> str:
    """The name of the module in a file."""
    return ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def imported_names(file: Path) -> set[str]:
    """Everything that a file imports when it runs, also within functions."""
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
    return names


def direct_imports(file: Path) -> set[str]:
    """The names of our modules that a file imports when it runs."""
    names = imported_names(file)
    return {name for name in names if name.split(".")[0] in PACKAGES and module_file(name)}


def import_closure(*modules: str, without: tuple[str, ...] = ()) -> set[str]:
    """Paths, relative to the project's root, of our files that run when the modules are imported.

    Packages `without` are left out, and so is everything that only they import.
    """
    seen: set[str] = set()
    stack = list(modules)
    while stack:
        name = stack.pop()
        if name in seen or f"{name}.".startswith(tuple(f"{one}." for one in without)):
            continue
        seen.add(name)
        parts = name.split(".")
        stack.extend(".".join(parts[:length]) for length in range(1, len(parts)))
        file = module_file(name)
        assert file is not None, name
        stack.extend(direct_imports(file))
    files = {module_file(name) for name in seen}
    return {str(file.relative_to(ROOT)) for file in files if file and not is_docstring_only(file)}


def is_docstring_only(file: Path) -> bool:
    """Whether a file, such as the __init__.py of a package, has nothing to run."""
    return all(isinstance(node, ast.Expr) for node in ast.parse(file.read_text()).body)
