"""The sweep language: every word gives the jobs that one could have written out, and every mistake a sentence."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.command.checked import Checked, Sweep, ordered
from runner.experiment.conditions import MISSING, condition
from runner.experiment.grids import spelled_out, split
from runner.experiment.overrides import quoted
from runner.experiment.schema import ConfigError

XOR = ["dataset=xor", "training.iterations=20", "tracking=none"]


@pytest.fixture(scope="module")
def checked() -> Checked:
    return Checked()


def expanded(checked: Checked, *words: str) -> list[list[str]]:
    return checked.composer.expand([quoted(spelled_out(word)) for word in words])


def mistakes(checked: Checked, *words: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        ordered(checked, [*XOR, *map(quoted, words)], True)
    return caught.value.problems


ZIPPED = [["optimizer.lr=0.1", "seed=1"], ["optimizer.lr=0.01", "seed=2"]]
WRITTEN_OUT = [
    (["zip(optimizer.lr=0.1,0.01 | seed=1,2)"], ZIPPED),
    (["zip(optimizer.lr=0.1,0.01|seed=range(1,3))"], ZIPPED),
    (["zip(optimizer.lr=geomspace(0.1,0.01,2) | seed=linspace(1,2,2))"], ZIPPED),
    (["dtype=float32,float64", "zip(optimizer.lr=0.1,0.01 | seed=1,2)"],
     [[f"dtype={dtype}", *pair] for dtype, pair in product(("float32", "float64"), ZIPPED)]),
    (["union(optimizer=gd optimizer.lr=1,0.1 | optimizer=adam)", "seed=0"],
     [["optimizer=gd", "optimizer.lr=1", "seed=0"], ["optimizer=gd", "optimizer.lr=0.1", "seed=0"],
      ["optimizer=adam", "seed=0"]]),
    (["union(zip(optimizer.lr=0.1,0.01 | seed=1,2) | seed=7)"], [*ZIPPED, ["seed=7"]]),
    (["zip(architecture.hidden=[4],[8,8] | seed=1,2)"],
     [["architecture.hidden=[4]", "seed=1"], ["architecture.hidden=[8,8]", "seed=2"]]),
    (["optimizer.lr=geomspace(1e-2,1,3)"], [["optimizer.lr=0.01"], ["optimizer.lr=0.1"], ["optimizer.lr=1"]]),
    (["optimizer=gd,adam", "optimizer.lr=0.1,10", "sweep.exclude=optimizer=gd and optimizer.lr>1"],
     [["optimizer=gd", "optimizer.lr=0.1"], *(["optimizer=adam", f"optimizer.lr={lr}"] for lr in ("0.1", "10"))]),
    (["optimizer=gd,momentum", "sweep.exclude=optimizer.momentum=0.9"], [["optimizer=gd"]]),  # of the composed job
    (["seed=range(5)", "sweep.exclude=not (seed in [1,2])"], [["seed=1"], ["seed=2"]]),
]  # fmt: skip


@pytest.mark.parametrize(("words", "jobs"), WRITTEN_OUT, ids=lambda given: str(given)[:40])
def test_a_word_gives_the_jobs_that_one_could_have_written_out(
    checked: Checked, words: list[str], jobs: list[list[str]]
) -> None:
    assert expanded(checked, *words) == jobs


def test_a_file_gives_a_job_a_row_and_an_empty_cell_sets_nothing(checked: Checked, tmp_path: Path) -> None:
    file = tmp_path / "settings.csv"
    file.write_text('optimizer,optimizer.lr,architecture.hidden\ngd, 0.1,"[4,4]"\n\nadam,,\n')
    jobs = [["optimizer=gd", "optimizer.lr=0.1", "architecture.hidden=[4,4]"], ["optimizer=adam"]]
    assert expanded(checked, f"sweep.file={file}") == jobs
    assert expanded(checked, "seed=0,1", f"sweep.file={file}") == [[f"seed={s}", *job] for s in (0, 1) for job in jobs]


def test_the_jobs_have_the_keys_of_the_same_jobs_written_out(checked: Checked) -> None:
    """So they are the same runs: what the one has made, the other skips."""
    made = ordered(checked, [*XOR, "zip(optimizer.lr=0.1,0.01 | seed=1,2)", "sweep.exclude='seed=2'"], True)
    written = ordered(checked, [*XOR, "optimizer.lr=0.1", "seed=1"], True)
    assert isinstance(made, Sweep)
    assert isinstance(written, Sweep)
    assert list(made.keys) == list(written.keys)


@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3), st.integers(1, 12))
def test_spaced_numbers_are_those_of_numpy(first: float, last: float, count: int) -> None:
    for name, space in (("geomspace", np.geomspace), ("linspace", np.linspace)):
        told = spelled_out(f"optimizer.lr={name}({first!r},{last!r},{count})").partition("=")[2].split(",")
        np.testing.assert_allclose([float(text) for text in told], space(first, last, count), rtol=1e-11)


MISTAKES = [
    (["zip(optimizer.lr=0.1,0.01 | seed=1)"], "equally long. Got 2 of optimizer.lr, 1 of seed"),
    (["zip(optimizer.lr=0.1,0.01)"], "two or more parts"),
    (["zip(optimizer.lr=0.1 | seed=1"], "the parenthesis that closes zip("),
    (["zip(optimizer.lr=0.1,0.2 | seed=range(0))"], "nothing in that range"),
    (["zip(optimizer.lr=0.1,0.2 | seed=1,2)", "seed=3"], "seed is set by"),
    (["union(optimizer=gd | optimiser.lr=3)"], "optimiser.lr"),
    (["optimizer.lr=geomspace(0,1,3)"], "both above 0"),
    (["optimizer.lr=linspace(0,1)"], "two numbers and how many"),
    (["seed=0,1", "sweep.exclude=seed>"], "must be followed by a value"),
    (["seed=0,1", "sweep.exclude=sed=1"], "no job has a key 'sed'. Did you mean 'seed'"),
    (["seed=0,1", "sweep.exclude=seed>0 or (seed=0"], "not closed"),
    (["seed=0,1", "sweep.exclude=seed<5"], "leaves out all 2 jobs"),
    (["seed=0,1", "sweep.exclude=optimizer>gd"], "must be followed by a number. Got gd"),
    (["seed=0,1", "sweep.exclude=__import__('os').system('true')"], "sweep.exclude"),
    (["sweep.file=not-there.csv"], "it cannot be read"),
    (["search=random", "zip(optimizer.lr=0.1,0.2 | seed=1,2)"], "a search takes ranges"),
]


@pytest.mark.parametrize(("words", "sentence"), MISTAKES, ids=lambda given: str(given)[:50])
def test_a_mistake_is_one_sentence(checked: Checked, words: list[str], sentence: str) -> None:
    (told,) = mistakes(checked, *words)
    assert sentence in told


def test_mistakes_in_a_file_are_told_with_their_rows(checked: Checked, tmp_path: Path) -> None:
    file = tmp_path / "settings.csv"
    file.write_text('optimizer.lr,seed\n0.1\n0.2,"1,2"\n')
    first, second = mistakes(checked, f"sweep.file={file}")
    assert "row 2 must have 2 cells, as the head. Got 1." in first
    assert "row 3: seed=1,2 must be one value" in second
    file.write_text("")
    assert "it is empty" in mistakes(checked, f"sweep.file={file}")[0]


@pytest.mark.parametrize("word", ["zip(seed=1,2 | dtype=float32,float64)", "sweep.exclude=seed=1"])
def test_without_m_it_is_said_that_this_is_for_a_sweep(checked: Checked, word: str) -> None:
    with pytest.raises(ConfigError, match=r"it is for a sweep\. Add -m"):
        ordered(checked, [*XOR, quoted(word)], False)


SIMPLE = st.sampled_from(["a=1", "b>2", "c in [1,x]"])


def conditions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})")
    return joined | inner.map(lambda part: f"not {part}")


@given(st.recursive(SIMPLE, conditions, max_leaves=8), st.dictionaries(st.sampled_from("abc"), st.integers(0, 4)))
def test_a_condition_means_what_python_would(text: str, job: dict[str, int]) -> None:
    facts = {"a=1": job.get("a") == 1, "b>2": job.get("b", 0) > 2, "c in [1,x]": job.get("c") == 1}
    python = text
    for part, fact in facts.items():
        python = python.replace(part, str(fact))
    assert condition(text).holds(lambda key: job.get(key, MISSING)) == eval(python)


def test_parts_are_parted_outside_of_brackets_and_quotes_only() -> None:
    assert split("a='x|y' | b=[1,2] | zip(c=1 | d=2)", "|") == ["a='x|y'", "b=[1,2]", "zip(c=1 | d=2)"]
