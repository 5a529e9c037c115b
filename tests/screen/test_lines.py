"""What is printed can be read and copied at any width: lines end between words, and a path stays a path."""

import io
import shlex
import sys
from collections.abc import Callable
from typing import Any

import pytest

from runner.command.python import run
from runner.diagnosis.case import Finding
from runner.experiment.build import compose
from runner.runs.findings import plain
from runner.runs.result import Result
from runner.screen import run as screen
from runner.screen import sweep, terminal
from runner.sweeps.leaderboard import fold
from runner.training.nonfinite import NonFinite

WORDS = ["dataset=xor", "training.iterations=60", "architecture.hidden=[8,8,8]", "init=he_normal"]


class Terminal(io.StringIO):
    """What a terminal shows."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run in a directory with brackets in its name."""
    folder = tmp_path_factory.mktemp("runs") / "lr[0.1] :smile:"
    run([*WORDS, "seed=3"], folder)
    return Result.read(compose([*WORDS, "seed=3"]), folder, "seed=3")


def shown(monkeypatch: pytest.MonkeyPatch, say: Callable[[], Any], width: int = 0) -> str:
    """What is printed into a terminal of so many columns, or into a pipe."""
    stream = Terminal() if width else io.StringIO()
    with monkeypatch.context() as patched:
        patched.setenv("COLUMNS", str(width or 80))
        patched.setenv("NO_COLOR", "1")
        patched.setenv("TERM", "dumb")
        patched.setattr(sys, "stdout", stream)
        say()
    return stream.getvalue()


def failed(ended: Result, name: str, **how: Any) -> Result:
    result = Result(ended.experiment, ended.directory, name, "diverged", 9, {"train/cost": 0.01})
    vars(result).update(how)
    return result


def everything(ended: Result) -> None:
    meaning = "the units of a layer all have the same weights and the same gradient, and stay the same for ever"
    finding = plain(
        Finding("target missed", 60, "symmetric_units", 1, "dW", (meaning,), meaning, ("init=zeros",), (), {})
    )
    told = failed(ended, "seed=4", findings=[finding])
    screen.introduce(ended.experiment)
    screen.result(ended)
    screen.findings([told], [told])
    sweep.announce(7, 5, 2, ended.directory)
    bad = NonFinite(7, 2, "Z", None)
    sweep.standing([ended, failed(ended, "seed=5", nonfinite=bad)])


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_line_ends_between_words_at_any_width(ended: Result, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, lambda: everything(ended), width)
    whole = shown(monkeypatch, lambda: everything(ended))
    assert text.replace(" \\\n", " ").split() == whole.split()
    for line in text.splitlines():
        assert len(line) <= width or len(line.split()) == 1, line
    assert len(text.splitlines()) > len(whole.splitlines())


def test_a_path_is_printed_as_it_is(ended: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"in {ended.directory}\n" in shown(monkeypatch, lambda: screen.result(ended))
    assert f"runs in {ended.directory}\n" in shown(monkeypatch, lambda: sweep.announce(1, 1, 0, ended.directory))


def test_a_command_that_was_folded_is_one_command_to_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    command = f"python -m runner {' '.join(f'key{i}=value' for i in range(20))} 'seed=range(3)' 'a b=c'"
    text = shown(monkeypatch, lambda: terminal.command(command), 80)
    assert len(text.splitlines()) > 3
    assert shlex.split(text.replace("\\\n", "")) == shlex.split(command)  # as a shell reads it


def test_failures_are_grouped_by_reason_errors_first(ended: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    diverged = [failed(ended, f"seed={i}", nonfinite=NonFinite(i, 2, "Z", None)) for i in range(1, 41)]
    errors = [
        failed(ended, f"bad={i}", status="error", error="Traceback\nValueError: no [such] thing") for i in range(9)
    ]
    results = [ended, *diverged, *errors]
    text = shown(monkeypatch, lambda: sweep.standing(results, most=5))
    lines = [line for line in text.splitlines() if " such as " in line]
    assert lines == [
        "9 failed: ValueError: no [such] thing, such as bad=0",
        "40 diverged: Z of layer 2 at steps 1 to 40, such as seed=1",
    ]
    assert text.count("  python -m runner dataset=xor") == 2


def test_settings_most_of_whose_runs_diverged_rank_last(ended: Result) -> None:
    """However little they cost before: the last finite row of a run that blows up may be its best."""
    runs = []
    for name, costs in (("lr=9", (0.01, 0.02, 0.03)), ("lr=1", (0.5, 0.6, 0.7)), ("lr=2", (0.4, 0.4, 0.01))):
        bad = {"lr=9": 3, "lr=1": 0, "lr=2": 1}[name]
        for seed, cost in enumerate(costs):
            status = "diverged" if seed >= 3 - bad else "finished"
            runs.append(failed(ended, f"{name} seed={seed}", status=status, last={"train/cost": cost}))
    assert [one.name for one in fold(runs)] == ["lr=2", "lr=1", "lr=9"]
    assert fold(runs)[0].quartiles[1] == 0.4


def test_a_value_that_came_back_is_not_the_end_of_a_run(ended: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = NonFinite(7, 2, "Z", None)
    came_back = failed(ended, "spike", status="finished", nonfinite=bad)
    assert "Z of layer 2 at step 7; it came back" in shown(monkeypatch, lambda: screen.result(came_back))
    assert "came back" not in shown(monkeypatch, lambda: screen.result(failed(ended, "end", nonfinite=bad)))
