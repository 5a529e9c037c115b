"""Tables as people have them are understood as they were meant, or refused with the way out."""

from pathlib import Path

import numpy as np
import pytest

from datasets import DataError, prepare
from datasets.csv import csv
from tests.datasets.files.kinds import KINDS

AS_CONFIGURED = {
    "delimiter": "auto",
    "header": "auto",
    "decimal": "auto",
    "na": "auto",
    "missing": "auto",
    "encode": "auto",
}


@pytest.mark.filterwarnings("ignore:.*openpyxl.*")
@pytest.mark.parametrize("name", KINDS)
def test_a_table_of_this_kind_is_understood_or_refused_with_the_way_out(name: str, tmp_path: Path) -> None:
    kind = KINDS[name](tmp_path)
    options = {**AS_CONFIGURED, **kind.more}
    if kind.refused:
        with pytest.raises(DataError, match=f"(?s){kind.refused}"):
            csv(str(kind.path), kind.target, **options)
        return
    dataset = prepare(csv(str(kind.path), kind.target, **options))
    assert np.array_equal(dataset.train.X, kind.X)
    assert len(dataset.classes) in (2, 3)
    assert kind.said in " ".join(dataset.notes)


def test_there_are_more_than_forty() -> None:
    assert len(KINDS) > 40
