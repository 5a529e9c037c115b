"""A script as text: read from `.py` or `.ipynb`, checked before it runs, edited, and the difference shown."""

import ast
import difflib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from runner import Refusal

FRAMEWORKS = {
    "torch": "PyTorch",
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "jax": "JAX",
    "flax": "Flax",
    "mxnet": "MXNet",
    "paddle": "PaddlePaddle",
    "theano": "Theano",
    "chainer": "Chainer",
    "tinygrad": "tinygrad",
    "cupy": "CuPy",
    "pytorch_lightning": "PyTorch Lightning",
    "lightning": "PyTorch Lightning",
}


class ScriptProblem(Refusal):
    """What keeps a script from being looked at: one sentence, for people."""


@dataclass(frozen=True)
class Edit:
    """Put `text` in the place of what stands from (line, column) to (end_line, end_column); lines from 1."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str

    @staticmethod
    def of(node: ast.expr | ast.stmt, text: str) -> "Edit":
        """In the place of a node of the syntax tree."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return Edit(node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, text)

    @staticmethod
    def after(line: int, text: str, indent: int = 0) -> "Edit":
        """As a line of its own after `line` (0: before the first)."""
        return Edit(line + 1, 0, line + 1, 0, " " * indent + text + "\n")


@dataclass(frozen=True)
class Source:
    """The text of a script, and where a line of it stands for whoever wrote it.

    Attributes:
        path: the file.
        text: its Python: of a notebook the code cells, one after the other.
        cells: of a notebook, the first line of every code cell.
    """

    path: Path
    text: str
    cells: tuple[int, ...] = field(default=())

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines(keepends=True)

    def line(self, number: int) -> str:
        """The text of a line, without its indentation."""
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""

    def where(self, number: int) -> str:
        """`line 12`, or `cell 3, line 4`."""
        inside = [place for place, first in enumerate(self.cells) if first <= number]
        return f"cell {inside[-1] + 1}, line {number - self.cells[inside[-1]] + 1}" if inside else f"line {number}"

    def edited(self, edits: list[Edit]) -> "Source":
        """The source with all edits made; they must not overlap."""
        lines = [line.encode() for line in self.lines]  # columns of the syntax tree count bytes
        if lines and not lines[-1].endswith(b"\n"):
            lines[-1] += b"\n"
        lines.append(b"")
        for edit in sorted(edits, key=lambda edit: (edit.line, edit.column), reverse=True):
            first, last = edit.line - 1, edit.end_line - 1
            new = lines[first][: edit.column] + edit.text.encode() + lines[last][edit.end_column :]
            lines[first : last + 1] = new.splitlines(keepends=True) or [b""]
            if len(lines) <= first or edit.line > len(self.lines):
                lines.append(b"")
        return Source(self.path, b"".join(lines).decode(), self.cells)

    def diff(self, other: "Source") -> str:
        """From this to the other, as a unified diff."""
        before = [line if line.endswith("\n") else line + "\n" for line in self.lines]
        after = [line if line.endswith("\n") else line + "\n" for line in other.lines]
        return "".join(difflib.unified_diff(before, after, self.path.name, self.path.name, n=1))


def read(path: Path) -> Source:
    """The script at `path`.

    Raises ScriptProblem where there is none, where it is not Python, or where a framework trains in it.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ScriptProblem(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise ScriptProblem(f"{path} is a folder, and must be a script here.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptProblem(f"{path} cannot be read: {error}") from error
    source = _notebook(path, text) if path.suffix == ".ipynb" else Source(path, text.replace("\r\n", "\n"))
    try:
        tree = source.tree
    except SyntaxError as error:
        shown = (error.text or "").strip()
        raise ScriptProblem(
            f"{path.name}, {source.where(error.lineno or 1)}: it is not Python: {error.msg}. {shown}".strip()
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ScriptProblem(f"{path.name}: it is not Python: {error}") from None
    for node in ast.walk(tree):
        for module in _imported(node):
            if (root := module.split(".")[0]) in FRAMEWORKS:
                where = source.where(node.lineno)  # type: ignore[attr-defined]
                raise ScriptProblem(
                    f"{path.name}, {where}: {FRAMEWORKS[root]} trains here, and explain reads networks in NumPy."
                )
    return source


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []


def _notebook(path: Path, text: str) -> Source:
    """A notebook as its code cells; what is for the notebook alone (%magic, !command) is left out."""
    try:
        cells = json.loads(text)["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        raise ScriptProblem(f"{path.name} is not a notebook: {type(error).__name__} {error}") from None
    lines: list[str] = []
    starts = []
    for cell in sources:
        starts.append(len(lines) + 1)
        own = cell.startswith("%%")  # the whole cell is another language's
        lines += ["pass" if own and not place else f"# {line}" if own else _python(line)
                  for place, line in enumerate(cell.split("\n"))]  # fmt: skip
    return Source(path, "\n".join(lines) + "\n", tuple(starts))


def _python(line: str) -> str:
    """A line of a cell; `%magic`, `!command` and `name?` are Jupyter's own."""
    bare = line.lstrip()
    own = bare.startswith(("%", "!", "?")) or (bare.endswith("?") and "#" not in bare)
    return f"{line[: len(line) - len(bare)]}pass  # {bare}" if own else line
