"""The writer of tables leaves the very rows that MLflow's own `log_batch` leaves, and stands back where it must."""

import math
import shutil

import pytest

from runner.runs import journal
from runner.runs.journal import Journal
from runner.tracking import tables
from runner.tracking.state import State
from runner.tracking.store import Store
from tests.stores import dump, new_store, push, runs, stored, whole, write

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def two(tmp_path_factory, tmp_path):
    """Two empty stores: the first is written by `log_batch`, the second by tables."""
    slow, fast = (Store(new_store(tmp_path_factory, tmp_path / name)) for name in ("slow", "fast"))
    assert slow.tables is not None
    slow.tables = None
    assert fast.tables is not None
    return slow, fast


def odd_journals(folder):
    """Runs of every kind that the two writers could treat differently."""
    data = {"name": "xor", "digest": "abc", "source": "datasets.xor", "profile": {"rows": 4}}
    params = {f"key.{number}": number for number in range(130)} | {"long": "x" * 7000, "odd(key)": None, "..": 1}
    tags = {"sweep": "s1", "mlflow.note.content": "a note", "mlflow.runName": "another", "mlflow.user": "me", "é": "ü"}
    write(folder / "plain", params=params, tags=tags, dataset=data)
    write(folder / "same data", rows=3, dataset=data)
    write(folder / "other data", rows=3, dataset={"name": "spiral"})
    write(folder / "diverged", rows=1, status="diverged", tags={"odd tag?": "x" * 9000})
    write(folder / "killed", rows=200, status=None)  # more than one call of log_batch
    write(folder / "nothing", rows=0, status=None)
    with Journal.create(folder / "values", name="", experiment="another") as writer:
        for step, value in enumerate([1.0, math.inf, -math.inf, math.nan, 1e300, 1.1e300, -1e305, 5e-324, -0.0]):
            writer.row(step, {"train/cost": value, "grad norm": -value, "odd$key": 1 / 3, "odd%key": 1 / 3})
        writer.row(9, {"falls to nan": math.nan, "train/cost": 2})
        writer.row(9, {"falls to nan": -1.0, "train/cost": 2})
        writer.tags({"later": "1"})
        writer.end("diverged", {"best/train/cost": 1.0, "worst": math.inf})
    write(folder / "resumed", rows=5, status="interrupted")
    with Journal.reopen(folder / "resumed", tags={"resumes": "1"}) as writer:
        writer.row(7, {"train/m0": -1.0})
        writer.end("finished", {"best/train/m0": -1.0})
    return sorted(path.parent for path in folder.glob("*/journal.jsonl"))


def copies(directories, folder):
    return [shutil.copytree(directory, folder / directory.name) for directory in directories]


def same(slow, fast, folder):
    """Assert that both stores hold the same, by their tables and as MLflow reads them."""
    ours, theirs = dump(folder / "fast" / "mlflow.db"), dump(folder / "slow" / "mlflow.db")
    for table, rows in theirs.items():
        assert ours[table] == rows, table
    for uid, run in runs(slow).items():
        other = runs(fast)[uid]
        run, other = slow.client.get_run(run.info.run_id), fast.client.get_run(other.info.run_id)
        for field in ("status", "start_time", "end_time", "run_name", "user_id", "lifecycle_stage"):
            assert getattr(other.info, field) == getattr(run.info, field), field
        assert other.data.params == run.data.params
        assert repr(sorted(other.data.metrics.items())) == repr(sorted(run.data.metrics.items()))
        ours, theirs = ({**one.data.tags, "runner.directory": ""} for one in (other, run))
        assert ours == theirs
        assert [one.to_dictionary() for one in other.inputs.dataset_inputs] == [
            one.to_dictionary() for one in run.inputs.dataset_inputs
        ]
        assert stored(fast, other.info.run_id) == stored(slow, run.info.run_id)


def test_both_writers_leave_the_same_rows(two, tmp_path):
    slow, fast = two
    directories = odd_journals(tmp_path / "runs")
    for store, name in ((slow, "a"), (fast, "b")):
        states = store.push_all(copies(directories, tmp_path / name), closing=True)
        assert [state.done for state in states.values()] == [True] * len(directories), states
    assert len(runs(fast)) == len(directories) == 8
    same(slow, fast, tmp_path)


def test_no_value_above_1e300_is_in_the_store(two, tmp_path):
    for store, name in zip(two, ("a", "b"), strict=True):
        values = tmp_path / name
        with Journal.create(values, name="n", experiment="demo") as writer:
            for step, value in enumerate([1e300, 1.01e300, -1e305, 1.7e308, math.inf, -math.inf, -1e300]):
                writer.row(step, {"train/cost": value})
            writer.end("diverged", {"best/train/cost": 1e301})
        points = stored(store, push(store, values, closing=False).run_id)
        assert [value for _, _, value in points["train/cost"]] == ["1e+300", "-1e+300"]
        assert "best/train/cost" not in points


def test_both_writers_leave_the_same_rows_of_journals_that_grow(two, tmp_path):
    slow, fast = two
    directories = odd_journals(tmp_path / "runs")
    pieces = {directory.name: (directory / journal.FILE).read_bytes() for directory in directories}
    for store, name in ((slow, "a"), (fast, "b")):
        copied = copies(directories, tmp_path / name)
        for part in (0.3, 0.5, 0.9, 1.0):
            for directory in copied:
                whole_of_it = pieces[directory.name]
                least = whole_of_it.index(b"\n") + 1
                (directory / journal.FILE).write_bytes(whole_of_it[: max(least, int(part * len(whole_of_it)))])
            store.push_all(copied, closing=part == 1.0)
    same(slow, fast, tmp_path)


def test_forty_runs_in_a_few_transactions_are_what_log_batch_gives(two, tmp_path):
    slow, fast = two
    data = {"name": "xor", "digest": "abc"}
    directories = [write(tmp_path / "runs" / str(number), rows=49, dataset=data) for number in range(40)]
    writes = []
    write_rows = fast.tables.write
    fast.tables.write = lambda work: (writes.append(len(work)), write_rows(work))[1]
    slow.push_all(copies(directories, tmp_path / "a"))
    fast.push_all(copies(directories, tmp_path / "b"))
    assert sum(writes) == 40
    assert len(writes) < 5
    same(slow, fast, tmp_path)


def test_again_from_the_beginning_changes_no_row(two, tmp_path):
    _, fast = two
    directories = odd_journals(tmp_path / "runs")
    fast.push_all(directories, closing=True)
    before = dump(tmp_path / "fast" / "mlflow.db")
    for directory in directories:
        (directory / "tracking.json").unlink()  # all of it once more
    fast.push_all(directories, closing=True)
    assert dump(tmp_path / "fast" / "mlflow.db") == before


def test_an_unknown_schema_is_left_to_log_batch(tmp_path_factory, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "KNOWN_REVISIONS", {"another"})
    store = Store(new_store(tmp_path_factory, tmp_path / "store"))
    assert store.tables is None
    push(store, write(tmp_path / "run"), closing=False)
    whole(store, tmp_path / "run", "FINISHED")


def test_what_the_tables_refuse_is_left_to_log_batch(two, tmp_path, monkeypatch):
    _, fast = two
    directories = [write(tmp_path / "runs" / str(number), rows=2) for number in range(3)]

    def refuse(work):
        raise ValueError("no")

    monkeypatch.setattr(fast.tables, "write", refuse)
    fast.push_all(directories)
    for directory in directories:
        whole(fast, directory, "FINISHED")


def test_a_run_deleted_while_it_is_followed_stays_deleted(two, tmp_path):
    _, fast = two
    with Journal.create(tmp_path / "run", name="n", experiment="demo") as writer:
        writer.row(0, {"train/cost": 1.0})
        run_id = push(fast, tmp_path / "run", closing=False).run_id
        fast.client.delete_run(run_id)
        writer.row(1, {"train/cost": 0.5})
        assert push(fast, tmp_path / "run", closing=False).deleted
    assert runs(fast) == {}


def test_one_bad_journal_does_not_hold_up_the_others(two, tmp_path):
    _, fast = two
    good = write(tmp_path / "a good")
    bad = write(tmp_path / "bad")
    lines = (bad / journal.FILE).read_bytes().splitlines(keepends=True)
    (bad / journal.FILE).write_bytes(b"".join([*lines[:3], b"not JSON\n", *lines[3:]]))
    outcome = fast.push_all([good, bad])
    assert isinstance(outcome[good], State)
    assert "damaged" in str(outcome[bad])
    whole(fast, good, "FINISHED")
