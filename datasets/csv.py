"""The user's own table: text of any dialect, Excel, parquet, feather, JSON and more."""

from datasets.files.formats import read_sheet
from datasets.files.learn import Na, Rules, learned
from datasets.files.sheet import Decimal, Format, Header
from datasets.files.tables import Task, existing
from datasets.files.understand import Encode
from datasets.types import Dataset, Missing

TargetName = str | int | list[str | int]


def csv(
    path: str,
    target: TargetName,
    task: Task = "auto",
    delimiter: str | None = None,
    test_path: str | None = None,
    columns: list[str | int] | None = None,
    header: Header = True,
    encoding: str = "auto",
    decimal: Decimal = ".",
    na: Na = None,
    missing: Missing = "refuse",
    encode: Encode = "none",
    group: str | int | None = None,
) -> Dataset:
    """Rows from a table: text with any mark between the columns, also packed; parquet, feather, JSON, Excel, ARFF.

    What the file is, is seen from its content. The defaults are those of old runs, the configuration's are `auto`.

    Arguments:
        path: the file.
        target: the column to predict, by name, or by position from 0 (negative from the end); a list of several
            takes each as an output of a regression, and columns of 0 and 1 with a single 1 a row as classes.
        task: auto takes text, and whole numbers of at most 20 distinct values, for classes.
        delimiter: one character, or tab or space; auto finds it; None: comma, semicolon or tab, as the header has it.
        test_path: a second table with the same columns, in any order, for the test rows.
        columns: the inputs: names, positions, patterns such as pixel*, and !name to leave out; None takes all.
        header: whether the first line names the columns; auto looks whether it looks like data.
        encoding: of a text: auto is UTF-8, UTF-16 by its mark, else as Windows wrote it.
        decimal: the mark before the fractions; auto sees it.
        na: words that stand for no value; auto: the usual ones, also in a list ([auto, -999]); None: empty cells, nan.
        missing: refuse names the place of a missing value; drop leaves such rows out; else `prepare` fills it in.
        encode: auto makes numbers of labels, dates and yes/no, and leaves out what names rows; none takes numbers only.
        group: a column that says which rows belong together (dataset.split=group), and is no input.

    Returns what `datasets.files.learn.learned` does: raw X (n, columns), y, and the encoding that `prepare` fits.
    Raises DataError where a file, a line or a value cannot be used.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/own.csv"
    >>> _ = Path(path).write_text("height;weight;pet\\n30;4.5;cat\\n60;25;dog\\n")
    >>> csv(path, target="pet").classes
    ('cat', 'dog')
    """
    targets = target if isinstance(target, list) else [target]
    rules = Rules(targets, task, columns, na, missing, encode, group)
    asked = Format(delimiter, header, encoding, decimal, rules.words)
    sheet = read_sheet(existing(path), asked, rules.spelled)
    tested = None if test_path is None else read_sheet(existing(test_path, "dataset.test_path"), asked, rules.spelled)
    return learned("csv", sheet, rules, tested)
