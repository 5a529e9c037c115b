"""A real PostgreSQL: as the store itself, and behind a server that passes artifacts on."""

import shutil
import sys

import pytest

from runner.command.sync import main
from runner.runs import journal
from runner.tracking.store import Store
from tests.databases import WORD, Postgres
from tests.servers import Server, begin, ended
from tests.stores import new_store, runs, said, stored, whole, write

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def postgres():
    with Postgres() as postgres:
        yield postgres


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with runs of three kinds in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "PGPASSWORD"):
        monkeypatch.delenv(name, raising=False)
    data = {"name": "xor", "digest": "abc", "profile": {"rows": 4}}
    for status in ("finished", "diverged", "interrupted"):
        write(tmp_path / "runs" / status, rows=120, status=status, dataset=data, params={"optimizer.lr": 0.1})
    return tmp_path


def test_without_psycopg_one_sentence_says_how_it_is_had(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert main(["runs/finished", "--store", f"postgresql://me:{WORD}@127.0.0.1:9/db"]) == 1
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "failed   runs/finished  postgresql:// needs psycopg: pip install '.[postgres]', "
        "or pip install 'psycopg[binary]'"
    ]
    assert WORD not in out


@pytest.mark.slow
def test_postgres_is_a_store_as_sqlite_is(postgres, folder, tmp_path_factory, monkeypatch, capsys):
    uri, shown = postgres.database("store"), f"postgresql://me@127.0.0.1:{postgres.port}/store"
    _as_sqlite(folder, uri, tmp_path_factory)
    ended(begin(folder, uri, "training.iterations=50"))
    whole(Store(uri), folder / "run", "FINISHED")  # with its model
    capsys.readouterr()
    assert main(["run"]) == 1
    assert "the store turned us away: set PGPASSWORD, or give --store postgresql://" in capsys.readouterr().err
    monkeypatch.setenv("PGPASSWORD", WORD)
    assert main(["run"]) == 0
    assert capsys.readouterr().out == f"1 run: 1 there already; {shown}\n"


@pytest.mark.slow
def test_postgres_behind_a_server_is_a_store_as_sqlite_is(postgres, folder, tmp_path_factory):
    server = Server(postgres.database("behind"), folder)
    server.start()
    try:
        _as_sqlite(folder, server.uri, tmp_path_factory)
        ended(begin(folder, server.uri, "training.iterations=50"))
        whole(Store(server.uri), folder / "run", "FINISHED")
        assert list((folder / "artifacts").rglob("network.json"))  # proxied: the server has them, in its own folder
        assert not (folder / "mlruns").exists()
    finally:
        server.stop()


def _as_sqlite(folder, uri, factory):
    """The runs come into the store, once, and are there what they are in a file of sqlite."""
    local = new_store(factory, folder / "local")
    shutil.copytree(folder / "runs", folder / "copy")
    assert main(["copy", "--store", local]) == 0
    for _ in range(2):
        assert main(["runs", "--store", uri]) == 0
    theirs, ours = Store(uri), Store(local)
    assert theirs.tables is None
    assert ours.tables is not None
    there, here = runs(theirs), runs(ours)
    assert there.keys() == here.keys()
    for directory in (folder / "runs").iterdir():
        uid = journal.first(directory)["uid"]
        run, same = there[uid], here[uid]
        whole(theirs, directory, same.info.status)
        assert stored(theirs, run.info.run_id) == stored(ours, same.info.run_id) == said(directory)
        assert (run.data.params, run.data.metrics) == (same.data.params, same.data.metrics)
        own = {"runner.directory"}
        assert {key: run.data.tags[key] for key in run.data.tags.keys() - own} == {
            key: same.data.tags[key] for key in same.data.tags.keys() - own
        }
