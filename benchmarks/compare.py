"""How often the intervals of `runner.compare` hold: settings simulated with known differences.

    python -m benchmarks.compare [--draws 4000]

pairs     P(better) and the median difference of two settings, n = 5, 10, 30 seeds: how often the interval covers the
          truth, its median width, and how often a setting is called better that is not
best      ten settings: how often the best is among those that may be, and how many those are
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from runner.sweeps.compare import best, intervals

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Floats, Floats]]
SEEDS = (5, 10, 30)


def shifted(rng: np.random.Generator, n: int, by: float = 1.0) -> tuple[Floats, Floats]:
    """Normal costs that share what their seed gives; b is worse by `by`."""
    seed = rng.normal(size=(n, 1))
    return seed + rng.normal(size=(n, 1)), seed + by + rng.normal(size=(n, 1))


def even(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    return shifted(rng, n, 0.0)


def skewed(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Log-normal costs; one run in ten of b diverges, one in fifty of a."""
    a, b = (np.exp(rng.normal(size=(n, 1)) + shift) for shift in (0.0, 0.5))
    return _diverged(rng, a, 0.02), _diverged(rng, b, 0.1)


def blocks(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Four choices of another key: in some a is much better, in one worse, and the seed shifts all four alike."""
    shift = np.array([1.5, 0.5, 0.2, -0.5]) + rng.normal(size=(n, 1))
    a = rng.normal(size=(n, 4))
    return a, a + shift + rng.normal(size=(n, 4))


def tied(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Accuracies of 20 rows: many are equal."""
    return -rng.binomial(20, 0.9, (n, 1)) / 20.0, -rng.binomial(20, 0.85, (n, 1)) / 20.0


WORLDS: dict[str, Draw] = {"even": even, "shifted": shifted, "skewed": skewed, "blocks": blocks, "tied": tied}


def _diverged(rng: np.random.Generator, values: Floats, share: float) -> Floats:
    return np.where(rng.random(values.shape) < share, np.inf, values)


def coverage(draw: Draw, n: int, draws: int, seed: int = 0) -> dict[str, float]:
    """Of so many draws of n seeds: how often each interval covers the truth, its width, how often `better` is false."""
    rng = np.random.default_rng(seed)
    a, b = draw(rng, 200_000)
    truth = float(intervals.wins(a, b).mean())
    middle = intervals.difference(a, b).at
    held = apart = false = 0
    widths = []
    for _ in range(draws):
        a, b = draw(rng, n)
        chance, difference = intervals.chance(intervals.wins(a, b)), intervals.difference(a, b)
        held += not chance.clears(truth)
        apart += not difference.clears(middle)
        widths.append(chance.high - chance.low)
        false += (chance.low > 0.5 and truth < 0.505) or (chance.high < 0.5 and truth > 0.495)
    width = float(np.median(widths))
    return {"P": truth, "chance": held / draws, "width": width, "difference": apart / draws, "false": false / draws}


def among(shifts: Floats, n: int, draws: int, seed: int = 0) -> tuple[float, float]:
    """How often the first of these settings, the best, is among those that may be; how many those are."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        common = rng.normal(size=n)
        values = common + shifts[:, None] + rng.normal(size=(len(shifts), n))  # (K, units)
        found.append(best.contenders(best.ranks(values[:, :, None])))
    return float(np.mean([one[0] for one in found])), float(np.mean([one.sum() for one in found]))


def lines(draws: int) -> Iterator[str]:
    yield "| settings | seeds | P(better) | its interval covers | width | the difference's covers | false better |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, draw in WORLDS.items():
        for n in SEEDS:
            one = coverage(draw, n, draws)
            figures = " | ".join(f"{one[key]:.3f}" for key in ("P", "chance", "width", "difference", "false"))
            yield f"| {name} | {n} | {figures} |"
    yield ""
    yield "| ten settings | seeds | the best is among them | of 10 that many |"
    yield "| --- | --- | --- | --- |"
    for name, shifts in (("even", np.zeros(10)), ("one in front", np.array([0.0] + [1.0] * 9)),
                         ("in steps", np.arange(10) * 0.5)):  # fmt: skip
        for n in SEEDS:
            share, size = among(shifts, n, max(200, draws // 10))
            yield f"| {name} | {n} | {share:.3f} | {size:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=4000)
    for line in lines(parser.parse_args().draws):
        print(line, flush=True)


if __name__ == "__main__":
    main()
