"""Questions to the record: runs as tables that DuckDB answers SQL about. Nothing is written, and no file is read.

`runs` has a row a run, `curves` a row a logged number (run, step, metric, value). A key's name has an underscore for
each sign that is none in SQL: `optimizer.lr` is optimizer_lr, `train/cost` train_cost.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from runner import Refusal
from runner.sweeps.table import Runs, long_schema

if TYPE_CHECKING:
    import duckdb
    import pyarrow

INSTALL = "pip install '.[sql]' in the runner's checkout, or pip install duckdb"
# No file of the user's is in reach of a question, nor a variable of this program, and it can change neither.
CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


class SQLError(Refusal):
    """A question that cannot be answered; the message says why."""


def is_question(text: str) -> bool:
    """Whether a text is a question, and not the name of a folder.

    >>> is_question("select median(train_cost) from runs"), is_question("multirun/select")
    (True, False)
    """
    return any(sign.isspace() for sign in text.strip()) and not Path(text).exists()


def answer(runs: Runs, question: str) -> "pyarrow.Table":
    """The answer of DuckDB to one SELECT about the runs. Raises SQLError, with what DuckDB says."""
    try:
        import duckdb
    except ImportError:
        raise SQLError(f"SQL needs DuckDB, and it is not installed: {INSTALL}.") from None
    with duckdb.connect(":memory:", config=CLOSED) as store:
        try:
            statements = store.extract_statements(question)
            if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
                raise SQLError(f"A question must be one SELECT. Got {question!r}.")
            _give(store, runs, question)
            store.execute("SET lock_configuration=true")
            return store.sql(question).to_arrow_table()
        except duckdb.Error as error:
            said = " ".join(str(error).split("\n\nLINE")[0].split())
            raise SQLError(f"{said} (a column is called optimizer_lr, train_cost; all: describe runs)") from None


def _give(store: "duckdb.DuckDBPyConnection", runs: Runs, question: str) -> None:
    """The tables of the runs; their curves only where they are asked for."""
    import pyarrow

    table = runs.to_arrow()
    store.register("runs", table.rename_columns([_name(key) for key in table.column_names]))
    if re.search(r"\bcurves\b", question, re.IGNORECASE):
        curves = [long_schema().empty_table(), *runs.curves()]
        store.register("curves", pyarrow.concat_tables(curves))


def _name(key: str) -> str:
    return re.sub(r"\W", "_", key)
