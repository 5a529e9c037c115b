"""Of a sweep's failures one of each kind is looked at first."""

from pathlib import Path

from runner.experiment.build import compose
from runner.runs import failures
from runner.runs.result import Result


def failed(status: str, *overrides: str, cost: float = 0.693147) -> Result:
    result = Result(compose(["dataset=xor", *overrides]), Path(), " ".join(overrides))
    result.status, result.last = status, {"train/cost": cost}  # type: ignore[assignment]
    return result


def test_one_of_each_kind_comes_before_a_second_and_diverged_ones_first() -> None:
    zeros = [failed("finished", "init=zeros", f"optimizer.lr={rate}") for rate in (0.1, 0.2, 0.3)]
    others = [failed("finished", "init=he_normal", cost=0.5), failed("diverged", "init=he_normal", cost=float("nan"))]
    found = failures.kinds([*zeros, *others])
    assert [len(kind) for kind in found] == [1, 3, 1]
    looked_at = failures.chosen([*zeros, *others], 4)
    assert [run.name for run in looked_at] == [others[1].name, zeros[0].name, others[0].name, zeros[1].name]


def test_runs_that_differ_in_the_seed_alone_are_looked_at_once() -> None:
    runs = [failed("finished", "init=zeros", f"seed={seed}") for seed in range(3)]
    assert [len(kind) for kind in failures.kinds(runs)] == [3]
    assert failures.chosen(runs, 8) == runs[:1]


def test_what_reached_its_target_or_is_not_to_be_looked_at_is_no_failure() -> None:
    reached, quiet = failed("finished"), failed("finished", "diagnosis=none")
    reached.target_reached = True
    assert failures.kinds([reached, quiet]) == []
