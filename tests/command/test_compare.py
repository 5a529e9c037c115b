"""`python -m runner.compare` over a sweep that was made: what is printed, and what cannot be compared."""

from pathlib import Path

import pytest

from runner import Refusal, sweep
from runner.command.compare import main

WORDS = "dataset=xor optimizer=gd,adam seed=range(6) training.iterations=30 plots=false sweep.backend=serial"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        sweep(WORDS, folder / "sweep")
    return folder / "sweep"


def test_the_better_setting_is_named_with_its_intervals(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(made), "--by", "optimizer", "--power"]) == 0
    head, titles, best, worse, verdict, mattered, power = capsys.readouterr().out.splitlines()
    assert head == "train/cost (less is better), paired over seed"
    assert titles.split()[:4] == ["optimizer.name", "runs", "diverged", "median"]
    assert best.endswith("may be the best")
    assert "1.00  0.54 .. 1" in worse
    assert verdict == f"{best.split()[0]} is the best of 2, with 95 % confidence."
    assert mattered.startswith("what mattered for train/cost: optimizer.name 0.")
    assert power == "No more are needed: the best is told from all others."


def test_what_cannot_be_compared_is_said_in_a_sentence(made: Path) -> None:
    with pytest.raises(Refusal, match=r"--by=init: .*\. They differ in optimizer\.name"):
        main([str(made), "--by", "init"])
    with pytest.raises(Refusal, match="holds no run"):
        main([str(made / "nowhere"), "--by", "optimizer"])
