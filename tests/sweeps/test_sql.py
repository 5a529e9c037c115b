"""Questions in SQL to a table of runs: answered, and nothing else done."""

from pathlib import Path

import pytest

from runner.sweeps.sql import SQLError, answer
from runner.sweeps.table import Row, Runs

RUNS = Runs(
    Row(Path("."), {"run": str(n), "status": status, "optimizer.lr": lr, "train/cost": cost})
    for n, (status, lr, cost) in enumerate(
        [("finished", 0.1, 3.0), ("finished", 0.1, 1.0), ("finished", 1.0, 5.0), ("diverged", 10.0, None)]
    )
)


def test_a_question_is_answered_over_the_keys_with_underscores() -> None:
    found = answer(
        RUNS, "select optimizer_lr as lr, median(train_cost) as cost from runs where status='finished' group by 1"
    )
    assert sorted(found.to_pylist(), key=lambda row: row["lr"]) == [{"lr": 0.1, "cost": 2.0}, {"lr": 1.0, "cost": 5.0}]
    assert answer(RUNS, "select count(*) as n from runs where train_cost is null").to_pylist() == [{"n": 1}]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("select optimiser_lr from runs", "optimizer_lr"),
        ("select medan(train_cost) from runs", 'Did you mean "median"'),
        ("selec 1", "syntax error"),
        ("delete from runs", "must be one SELECT"),
        ("select 1; select 2", "must be one SELECT"),
        ("copy runs to 'runs.csv'", "must be one SELECT"),
        ("select * from read_csv('secret.csv')", "disabled"),
        ("select * from RUNS, question", "question"),  # a name of this program's own is no table
    ],
)
def test_what_is_no_question_about_the_runs_is_refused_in_a_sentence(
    question: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(SQLError, match=said) as caught:
        answer(RUNS, question)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]
