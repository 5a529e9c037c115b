"""An answer of `runner.query` on the screen."""

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from runner.screen.terminal import console, number

if TYPE_CHECKING:
    import pyarrow

MOST = 50  # rows shown


def answered(table: "pyarrow.Table") -> None:
    """The rows of an answer, at most `MOST`; numbers with six digits, nothing where there is none."""
    out, shown = console(), Table(box=None, pad_edge=False, header_style="dim")
    rows = table.slice(0, MOST).to_pylist()
    for name in table.column_names:
        numbers = all(isinstance(row[name], int | float) for row in rows)
        shown.add_column(Text(name), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(_said(row[name])) for name in table.column_names))
    out.print(shown)
    if table.num_rows > MOST:
        out.print(f"... and {table.num_rows - MOST} more: --csv or --out FILE has all")


def _said(value: Any) -> str:
    return "" if value is None else number(value) if isinstance(value, float) else str(value)
