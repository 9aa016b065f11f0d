"""Read YAML from an unknown source: limited in size, no aliases, with the line of a mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from dvcview.errors import UserError, first_line, one_line

LARGEST_YAML = 50_000  # characters, ten times params.yaml; parsing takes a second
MOST_BRACKETS = 500  # the parser's time grows with the square of the nesting depth
LONGEST_PROBLEM = 150  # characters of the parser's message


def read_yaml(path: Path) -> Any:
    """Read a YAML file; see `parse_yaml`.

    Raises:
        UserError: the file cannot be read, or `parse_yaml` rejects its content.
    """
    try:
        # Reading a pipe would wait for a writer, and reading a device might never end.
        if not path.is_dir() and not path.is_file() and path.exists():
            raise UserError(f"{path}: cannot be read (a pipe or device, not a file)")
        _check_yaml_size(path.stat().st_size, str(path))
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Any:
    """Parse YAML 1.2.

    Args:
        text: the YAML text.
        name: the name of the text in error messages.

    Raises:
        UserError: the text is not valid YAML, too long, or has duplicate keys or aliases.
    """
    _check_yaml_size(len(text), name)
    if text.count("[") + text.count("{") > MOST_BRACKETS:
        raise UserError(f"{name}: more than {MOST_BRACKETS} brackets; write one list item per line")
    yaml = YAML(typ="safe", pure=True)  # libyaml reports a wrong line
    yaml.Composer, yaml.Constructor = _NoAliasComposer, _LocatingConstructor
    try:
        return yaml.load(text)
    except RecursionError:
        raise UserError(f"{name}: not valid YAML (nested too deeply)") from None
    except Exception as error:  # not only the parser's own: a list as a key raises TypeError
        mark = getattr(error, "problem_mark", None)
        position = mark.index if mark else getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1
        problem = one_line(getattr(error, "problem", None) or str(error))[:LONGEST_PROBLEM]
        raise UserError(f"{name}, line {line}: not valid YAML ({problem})") from None


def _check_yaml_size(size: int, name: str) -> None:
    if size > LARGEST_YAML:
        raise UserError(f"{name}: {size} characters long; allowed: at most {LARGEST_YAML}")


class _NoAliasComposer(Composer):  # type: ignore[misc]
    """Rejects aliases.

    A few lines of aliases can expand to more values than fit in memory. Also, `dvc exp run -S`
    changes a value in all sections that share it through an alias.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.parser.check_event(AliasEvent):
            mark = self.parser.peek_event().start_mark
            raise ComposerError(None, None, "aliases are not allowed: write the value out", mark)
        return super().compose_node(parent, index)


class _LocatingConstructor(SafeConstructor):  # type: ignore[misc]
    """Adds the position to the error for a scalar that does not match its tag (`!!bool x`)."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (YAMLError, RecursionError):
            raise
        except Exception as error:  # the conversion can raise any exception
            raise ConstructorError(None, None, first_line(error), node.start_mark) from None
