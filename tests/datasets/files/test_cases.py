"""Files of public bug reports in SHARED_DIR: each is understood as its note asks, or refused with a way out.

The files are found by globbing: one that is added is tried too, and must train or be refused in a sentence.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from datasets import Dataset
from datasets.files.tables import override
from tests.datasets.advice import loaded, printed, told

FOLDER = Path(os.environ.get("SHARED_DIR", "")) / "cases" / "files"
FILES = sorted(
    str(path.relative_to(FOLDER))
    for path in FOLDER.glob("*/*")
    if os.environ.get("SHARED_DIR") and path.name != "NOTE.txt"
)


class Case(NamedTuple):
    """How a file is tried: by `words`, its target is `target`. It trains, and says `said`; or is `refused` so."""

    target: str = "kind"
    words: tuple[str, ...] = ()
    said: str = ""
    refused: str = ""


ARRAYS = ("dataset=npz",)
CASES = {
    "01_wide_header/wide.csv": Case("gene_0"),
    "04_target_missing_words/target01*": Case(refused="'kind' is '.*', which stands for no value"),
    "04_target_missing_words/*": Case(refused="'kind' is '.*', which stands for no value"),
    "05_no_header_text_label/iris.data": Case("-1", said="has no header"),
    "06_model_int_columns/*": Case("price"),
    "07_task_guess/counts.csv": Case("rentals", said=r"dataset\.task=regression"),
    "07_task_guess/houses*": Case("price", said="a regression"),
    "07_task_guess/letters26.csv": Case("letter", said=r"dataset\.task=classification"),
    "09_index_column/trailing.csv": Case(said="has no name and no values: left out"),
    "09_index_column/*": Case(said="is left out: it has no name and numbers the rows"),
    "11_inputs_not_numbers/adult.data": Case("-1", said="has no header"),
    "11_inputs_not_numbers/dates.csv": Case(said="days since 1970"),
    "11_inputs_not_numbers/dummies.csv": Case("ok", said="boolean"),
    "11_inputs_not_numbers/titanic_train.csv": Case("Survived", said="Name is left out"),
    "11_inputs_not_numbers/titanic_test.csv": Case("Survived", refused="is no column of"),
    "11_inputs_not_numbers/yesno.csv": Case("smoker"),
    "12_missing_inputs/missing_m999.csv": Case(said=r"dataset\.na=\[auto,-999\]"),
    "12_missing_inputs/*": Case(said="missing +filled in with"),
    "14_formats/base.pkl": Case(refused="is a pickle.*to_parquet"),
    "14_formats/html.csv": Case(refused="is a web page"),
    "14_formats/lfs.csv": Case(refused="git lfs pull"),
    "14_formats/pics": Case("", ("dataset=images",), said="8 pictures, each as .* divided by 255"),
    "14_formats/big.json": Case(refused="single class"),
    "14_formats/base.libsvm": Case("label"),
    "14_formats/v5.mat": Case("y", ARRAYS),
    "15_targets/multi_target.csv": Case("[y1,y2]", said="2 targets in each row"),
    "15_targets/onehot_target.csv": Case("[blue,green,red]", said="classes: blue"),
    "15_targets/multilabel.npz": Case("y", ARRAYS, said="labels of 0 and 1 a row"),
    "15_targets/multireg.npz": Case("y", ARRAYS, said="targets in each row"),
    "15_targets/onehot.h5": Case("y", ("dataset=h5",), said="classes"),
    "15_targets/*": Case("y", ARRAYS, said="classes"),
    "17_npz_objects/X.npy": Case("y", ARRAYS, refused="is a single array"),
    "17_npz_objects/obj_x.npz": Case("y", ARRAYS, refused=r"X\.astype\(float\)"),
    "17_npz_objects/*obj*": Case("y", ARRAYS, refused=r"y\.astype\(str\)"),
    "17_npz_objects/mnist.npz": Case("y", ARRAYS, said=r"dataset\.inputs=x_train"),
    "17_npz_objects/*": Case("y", ARRAYS),
    "18_names_in_python/*data*": Case("Survived?"),
    "18_names_in_python/names.csv": Case("Survived?"),
    "20_houses/*": Case("price", said="the targets are scaled while the network trains"),
}


def case_of(name: str) -> Case:
    return next((case for pattern, case in CASES.items() if Path(name).match(pattern)), Case())


def words_for(name: str) -> list[str]:
    case = case_of(name)
    named = [override("path", str(FOLDER / name))]
    if case.target:
        value = case.target if case.target[:1] == "[" or case.target == "-1" else None
        named.append(f"dataset.target={value}" if value else override("target", case.target))
    return [*case.words, *(word.strip("'") for word in named)]


@pytest.mark.skipif(bool(os.environ.get("SHARED_DIR")), reason="SHARED_DIR is set")
def test_the_files_are_there(shared_dir: Path) -> None:
    """Says why the cases are not tried; in CI it fails."""


@pytest.mark.filterwarnings("ignore:.*openpyxl.*")
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_understood_or_refused_as_its_note_asks(name: str) -> None:
    case, words = case_of(name), words_for(name)
    said, dataset = told(words)
    if case.refused:
        assert dataset is None
        assert pd.Series([said]).str.contains(f"(?s){case.refused}").item(), said
        for found in printed(said):
            if not found[0].startswith(("dataset.path=", "dataset.target=")):
                loaded([*words, *found])
    else:
        assert dataset is not None, said
        assert pd.Series([said]).str.contains(f"(?s){case.said}").item(), said
        assert np.isfinite(dataset.train.X).all()


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".csv") and not case_of(name).refused])
def test_its_numbers_are_those_that_pandas_reads(name: str) -> None:
    frame = pd.read_csv(FOLDER / name)
    dataset = loaded([*words_for(name), "dataset.scaling=none"])
    same = [each for each in dataset.inputs if each in frame and frame[each].dtype.kind in "fi"]
    for each in same:
        expected = frame[each].to_numpy(dtype=float)
        expected = np.where(np.isnan(expected), np.nanmedian(expected), expected)
        assert np.array_equal(_column(dataset, each), expected), each
    assert same or "dummies" in name or "yesno" in name


def _column(dataset: Dataset, name: str) -> np.ndarray:
    return dataset.train.X[:, dataset.inputs.index(name)]
