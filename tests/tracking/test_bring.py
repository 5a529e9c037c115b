"""Which journals are to go into which store."""

import pytest

from runner.tracking.bring import journals
from tests.stores import write

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = pytest.mark.filterwarnings("ignore")


def test_journals_are_found_in_order_once(tmp_path):
    for name in ("b", "a", "a/nested"):
        write(tmp_path / name, rows=1)
    assert [path.relative_to(tmp_path).as_posix() for path in journals(tmp_path)] == ["a", "a/nested", "b"]
