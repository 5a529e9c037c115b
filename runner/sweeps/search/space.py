"""What a search may choose from: the sweeps of a command line, in Hydra's own syntax, as ranges.

optimizer.lr='tag(log,interval(1e-4,10))'   any number, evenly in its logarithm
architecture.dropout='interval(0,0.5)'      any number
training.batch_size='int(interval(8,64))'   any whole number, both ends included
seed='range(10)'                            one of these, which have an order
init=zeros,he_normal  hidden='choice([4],[8])'   one of these, which have none
"""

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import product
from operator import or_
from typing import Any, NamedTuple

from hydra.core.override_parser.types import IntervalSweep, Override, Sweep

from runner.experiment.compose import Composer
from runner.experiment.schema import ConfigError

PROBES = 16  # combinations that are checked before the first trial
FIXED = ("search", "objective", "sweep", "tracking", "progress", "resume")  # what is the same in all trials


class Interval(NamedTuple):
    """A number from `low` to `high`, both included; `log`: evenly in its logarithm."""

    key: str
    low: float
    high: float
    log: bool
    whole: bool

    @property
    def ends(self) -> list[Any]:
        return [self.low, self.high]

    def distribution(self) -> Any:
        """What Optuna draws from."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def override(self, drawn: Any) -> str:
        return f"{self.key}={drawn!r}"


class Listed(NamedTuple):
    """One of some values, as they are written; `ordered` where neighbours are alike. What is drawn is a position."""

    key: str
    values: tuple[str, ...]
    ordered: bool

    @property
    def ends(self) -> list[Any]:
        every = range(len(self.values))
        return sorted({every[0], every[-1]}) if self.ordered else list(every)

    def distribution(self) -> Any:
        """What Optuna draws from."""
        from optuna.distributions import CategoricalDistribution, IntDistribution

        last = len(self.values) - 1
        return IntDistribution(0, last) if self.ordered else CategoricalDistribution(range(last + 1))

    def override(self, drawn: Any) -> str:
        return f"{self.key}={self.values[drawn]}"


class Space(NamedTuple):
    """`ranges`: what is searched over; `fixed`: the overrides of all trials; `search`: those about the search."""

    ranges: tuple[Interval | Listed, ...]
    fixed: tuple[str, ...]
    search: tuple[str, ...]

    def distributions(self) -> dict[str, Any]:
        """What Optuna draws from, by key."""
        return {one.key: one.distribution() for one in self.ranges}

    def overrides(self, drawn: Mapping[str, Any]) -> list[str]:
        """The trial in which each range has the value drawn for it: an ordinary run, and no search."""
        chosen = any(text.startswith("search=") for text in self.search)
        return [
            *self.fixed,
            *([] if chosen else ["search=none"]),
            *(one.override(drawn[one.key]) for one in self.ranges),
        ]

    def itself(self) -> list[str]:
        """A trial with the keys of the search beside it."""
        return [*self.fixed, *self.search, *(one.override(one.ends[0]) for one in self.ranges)]

    def probes(self) -> list[list[str]]:
        """Trials at the borders, to be checked: all combinations, or each border alone if there are too many."""
        ends = [[{one.key: end} for end in one.ends] for one in self.ranges]
        if math.prod(map(len, ends)) <= PROBES:
            drawn = [reduce(or_, chosen) for chosen in product(*ends)]
        else:
            first = reduce(or_, (some[0] for some in ends))
            drawn = [first | end for some in ends for end in some]
        return [self.overrides(values) for values in drawn]


def space_of(composer: Composer, overrides: Sequence[str]) -> Space:
    """The space of these overrides. Raises ConfigError with all that is wrong with their ranges."""
    ranges: list[Interval | Listed] = []
    fixed, problems = [], []
    for text in overrides:
        try:
            override = composer.parsed(text)
        except ConfigError as error:
            problems += error.problems
            continue
        if not override.is_sweep_override():
            fixed.append(text)
            continue
        problem, one = _range(text, override)
        problems += [problem] if problem else []
        if one is not None:
            ranges.append(one)
    keys = [one.key for one in ranges]
    problems += [f"{key} is given twice." for key in dict.fromkeys(keys) if keys.count(key) > 1]
    if not ranges and not problems:
        problems.append(
            "A search needs something to search: give a range, like optimizer.lr='tag(log,interval(1e-4,10))' "
            "or init=he_normal,xavier_normal."
        )
    if problems:
        raise ConfigError(problems, fixed)
    search = [text for text in fixed if text.lstrip("+~").startswith(("search=", "search."))]
    return Space(tuple(ranges), tuple(text for text in fixed if text not in search), tuple(search))


def _range(text: str, override: Override) -> tuple[str, Interval | Listed | None]:
    """What is wrong with a sweep, or the range that it is."""
    key: str = override.get_key_element()
    value: Any = override.value()
    if key.lstrip("+").split(".")[0] in FIXED:
        several = f" Several objectives are a list: {key}=[A,B]." if key.startswith("objective.") else ""
        return f"{text}: it is the same in all trials of a search.{several}", None
    tags = value.tags if isinstance(value, Sweep) else set()
    if unknown := sorted(tags - {"log"}):
        return f"{text}: a search knows the tag log. Got {', '.join(unknown)}.", None
    if isinstance(value, IntervalSweep):
        return _interval(text, key, value)
    if tags:
        return f"{text}: log is for an interval.", None
    values = list(dict.fromkeys(override.sweep_string_iterator())) if getattr(value, "step", 1) else []
    if not values:
        return f"{text}: there is nothing in it.", None
    if getattr(value, "shuffle", False):  # the same search must be the same again
        values.sort(key=lambda text: (len(text), text))
    return "", Listed(key, tuple(values), ordered=override.is_range_sweep())


def _interval(text: str, key: str, value: IntervalSweep) -> tuple[str, Interval | None]:
    low, high, log = value.start, value.end, "log" in value.tags
    assert low is not None
    assert high is not None
    if not low < high:
        return f"{text}: there is nothing in that interval: its end must be above its start.", None
    if log and low <= 0:
        return f"{text}: a logarithm needs an interval above 0. Got {low:g} as its start.", None
    whole = isinstance(low, int) and isinstance(high, int)  # by int(interval(...)); they are floats otherwise
    return "", Interval(key, low, high if whole else math.nextafter(high, low), log, whole)
