"""The runs of a sweep as a table, read back and exported; a sweep from Python makes one."""

import math
from pathlib import Path

import numpy as np
import pandas
import pyarrow.parquet
import pytest

from runner import Refusal, Runs, Trace, load, run, sweep
from runner.command.query import main
from runner.experiment.schema import ConfigError
from runner.runs.journal import NoRun

WORDS = "dataset=xor init=normal,zeros optimizer.lr=0.1,0.5 seed=range(2) training.iterations=20 sweep.backend=serial"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(scope="module")
def made(folder: Path) -> Runs:
    """A sweep from Python, in its own directory; the index of what is done stands beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return sweep(f"{WORDS} plots=false", folder / "sweep")


def test_a_sweep_from_python_gives_its_runs_in_the_order_of_the_jobs(made: Runs) -> None:
    assert len(made) == 8
    assert made["init.name"] == ["normal"] * 4 + ["zeros"] * 4
    assert made["seed"] == [0, 1] * 4
    assert set(made["status"]) == {"finished"}
    alone = run("dataset=xor init=zeros optimizer.lr=0.5 seed=1 training.iterations=20")
    np.testing.assert_array_equal(made[-1].trace["train/cost"], alone["train/cost"])


def test_it_is_loaded_best_first_and_its_own_run_is_none_of_it(made: Runs, folder: Path) -> None:
    loaded = load(folder / "sweep")
    assert isinstance(loaded, Runs)
    assert sorted(loaded["run"]) == sorted(made["run"])
    assert loaded["train/cost"] == sorted(loaded["train/cost"])
    assert isinstance(load(folder / "sweep" / "3"), Trace)
    with pytest.raises(NoRun, match="holds no run"):
        load(folder / "sweep" / ".hydra-not-there")


def test_jobs_that_were_done_stand_in_the_table(
    made: Runs, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    again = sweep(f"{WORDS.replace('range(2)', 'range(3)')} plots=false", folder / "more")
    assert len(again) == 12
    assert len(set(again["directory"]) & set(made["directory"])) == 8
    assert sorted(load(folder / "more")["directory"]) == sorted(again["directory"])


def test_the_table_is_filtered_grouped_and_sorted(made: Runs) -> None:
    best = made.filter(lambda one: one["train/cost"] < 0.5, **{"optimizer.lr": 0.1})
    assert set(best["optimizer.lr"]) == {0.1}
    assert all(cost < 0.5 for cost in best["train/cost"])
    groups = made.group("init.name", "optimizer.lr")
    assert sorted(groups) == [("normal", 0.1), ("normal", 0.5), ("zeros", 0.1), ("zeros", 0.5)]
    assert all(len(runs) == 2 for runs in groups.values())
    costs = made.sort("train/cost", descending=True)["train/cost"]
    assert costs == sorted(costs, reverse=True)
    assert {"init.name", "optimizer.lr", "seed"} <= set(made.varied())
    assert "init.fan_in_first" not in made.varied()  # only one of the two has it
    with pytest.raises(KeyError, match="Did you mean"):
        made.group("optimiser.lr")


def test_it_shows_itself_and_becomes_a_frame(made: Runs) -> None:
    assert repr(made) == "Runs(8: 8 finished)"
    assert made._repr_html_().count("<tr>") == 9
    frame = made.to_frame()
    assert frame.groupby("init.name")["train/cost"].median().shape == (2,)
    polars = pytest.importorskip("polars")
    assert made.to_polars().filter(polars.col("seed") == 1).height == 4


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_it_is_exported(made: Runs, folder: Path, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    read = pandas.read_parquet if ending == "parquet" else pandas.read_csv
    assert main([str(folder / "sweep"), "--out", str(folder / f"runs.{ending}")]) == 0
    frame = read(folder / f"runs.{ending}").sort_values("directory")
    ours = made.to_frame().sort_values("directory")
    assert frame["run"].tolist() == ours["run"].tolist()
    np.testing.assert_array_equal(frame["train/cost"], ours["train/cost"])
    assert main([str(folder / "sweep"), "--curves", "--out", str(folder / f"curves.{ending}")]) == 0
    curves = read(folder / f"curves.{ending}")
    assert curves.columns.tolist() == ["run", "step", "metric", "value"]
    for row in made:
        one = curves[(curves["run"] == row["run"]) & (curves["metric"] == "train/cost")]
        np.testing.assert_array_equal(one["value"], row.trace["train/cost"])
    assert "8 runs in" in capsys.readouterr().out


def test_a_single_run_and_one_that_diverged_are_exported_to_the_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("experiment=posts/xor", tmp_path / "diverged")
    assert main([str(tmp_path / "diverged")]) == 0
    head, row = capsys.readouterr().out.splitlines()
    values = dict(zip(head.replace('"', "").split(","), row.split(","), strict=False))
    assert values["status"] == '"diverged"'
    assert values["first_nonfinite_step"] == "275"
    (one,) = load(tmp_path)
    assert math.isnan(one["train/cost"])
    assert pyarrow.types.is_floating(load(tmp_path).to_arrow().schema.field("train/cost").type)


@pytest.mark.parametrize(("words", "said"), [(["nowhere"], "holds no run"), ([".", "--out", "runs.xlsx"], "must end")])
def test_what_cannot_be_exported_is_said(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refusal, match=said):
        main(words)
    assert list(tmp_path.iterdir()) == []


def test_the_mistakes_of_all_jobs_are_said_before_the_first_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        sweep("dataset=xor optimizer.lr=0.1,-1 seed=0,1 training.iterations=0")
    assert len(refused.value.problems) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_search_from_python_is_a_table_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = "dataset=xor search=random search.trials=4 optimizer.lr=interval(0.01,1) training.iterations=20 plots=false"
    assert len(sweep(words)) == 4
    assert len(load(tmp_path / "multirun")) == 4


def test_a_question_is_answered_as_a_table_as_csv_and_as_a_file(
    made: Runs, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    question = (
        "select init_name, count(*) as n, max(step) as last from runs join curves using (run) group by 1 order by 1"
    )
    assert main([str(folder / "sweep"), question]) == 0
    title, *rows = capsys.readouterr().out.splitlines()
    assert title.split() == ["init_name", "n", "last"]
    assert [row.split()[0] for row in rows] == ["normal", "zeros"]
    assert main([str(folder / "sweep"), question, "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == '"init_name","n","last"'
    assert main([str(folder / "sweep"), question, "--out", str(folder / "answer.parquet")]) == 0
    assert pyarrow.parquet.read_table(folder / "answer.parquet")["last"].to_pylist() == [20, 20]


def test_without_a_folder_all_that_was_recorded_here_is_asked(
    made: Runs, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refusal, match="neither outputs nor multirun"):
        main(["select count(*) from runs"])
    (tmp_path / "multirun").symlink_to(folder / "sweep")
    assert main(["select count(*) as n from runs"]) == 0
    assert capsys.readouterr().out.split() == ["n", "8"]
