"""What a search may choose from: the sweeps of a command line, in Hydra's own syntax, as ranges.

optimizer.lr='tag(log,interval(1e-4,10))'   any number, evenly in its logarithm
architecture.dropout='interval(0,0.5)'      any number
training.batch_size='int(interval(8,64))'   any whole number, both ends included
seed='range(10)'                            one of these, which have an order
init=zeros,he_normal  hidden='choice([4],[8])'   one of these, which have none

A range over a key that only some of the listed options have is drawn where there is one:
optimizer=gd,momentum optimizer.momentum='interval(.5,.99)'
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import reduce
from itertools import product
from operator import or_
from typing import Any, NamedTuple

from hydra.core.override_parser.types import IntervalSweep, Override, Sweep

from runner.experiment.compose import Composer
from runner.experiment.overrides import keys_of, override_of, plain_value
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

    def shown(self) -> Any:
        """What Optuna draws from in a study that people read: the same."""
        return self.distribution()

    def position(self, value: Any) -> Any:
        """What is drawn where a study shows this value: the same."""
        return value

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

    def shown(self) -> Any:
        """What Optuna draws from in a study that people read: the values themselves, not where they stand."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if not self.ordered:
            return CategoricalDistribution(self.scalars)
        values = sorted(self.scalars)
        step = round(values[1] - values[0], 12) if len(values) > 1 else 1
        if all(isinstance(value, int) for value in values):
            return IntDistribution(values[0], values[-1], step=step)
        low, high = Decimal(str(round(values[0], 12))), Decimal(str(step)) * (len(values) - 1)
        return FloatDistribution(float(low), float(low + high), step=step)

    @property
    def scalars(self) -> list[Any]:
        """The values as numbers, words and truth values; as they are written where Optuna would mix some up."""
        plain = [plain_value(override_of(f"x={text}").value()) for text in self.values]
        alike = all(isinstance(value, str | int | float | None) for value in plain) and len(set(plain)) == len(plain)
        return plain if alike else [*self.values]

    def position(self, value: Any) -> int:
        """What is drawn where a study shows this value."""
        if self.ordered:
            return min(range(len(self.values)), key=lambda place: abs(self.scalars[place] - value))
        return self.scalars.index(value)

    def override(self, drawn: Any) -> str:
        return f"{self.key}={self.values[drawn]}"


class Condition(NamedTuple):
    """That a key is there: where one of these positions is drawn for the options of `group`."""

    group: str
    positions: tuple[int, ...]

    def holds(self, drawn: Mapping[str, Any]) -> bool:
        return drawn[self.group] in self.positions


class Space(NamedTuple):
    """`ranges`: what is searched over; `fixed`: the overrides of all trials; `search`: those about the search.

    `conditions`: of the ranges that only some trials have, by key.
    """

    ranges: tuple[Interval | Listed, ...]
    fixed: tuple[str, ...]
    search: tuple[str, ...]
    conditions: Mapping[str, Condition] = {}

    def of(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """What a trial has of these values: those of the ranges that there are in it."""
        keys = [one.key for one in self.ranges if one.key in drawn]
        return {key: drawn[key] for key in keys if key not in self.conditions or self.conditions[key].holds(drawn)}

    @property
    def size(self) -> float:
        """How many different trials there are: infinitely many with an interval."""
        if any(isinstance(one, Interval) for one in self.ranges):
            return math.inf
        counts = {one.key: len(one.values) for one in self.ranges if isinstance(one, Listed)}
        bound = {condition.group for condition in self.conditions.values()}
        whole = math.prod(count for key, count in counts.items() if key not in bound and key not in self.conditions)
        for group in bound:
            own = {key: rule.positions for key, rule in self.conditions.items() if rule.group == group}
            whole *= sum(
                math.prod(counts[key] for key, positions in own.items() if position in positions)
                for position in range(counts[group])
            )
        return whole

    def overrides(self, drawn: Mapping[str, Any]) -> list[str]:
        """The trial in which each range has the value drawn for it: an ordinary run, and no search."""
        named = any(text.startswith("search=") for text in self.search)
        return [
            *self.fixed,
            *([] if named else ["search=none"]),
            *self.chosen(drawn),
        ]

    def chosen(self, drawn: Mapping[str, Any]) -> list[str]:
        """What is drawn for a trial, as overrides."""
        return [one.override(drawn[one.key]) for one in self.ranges if one.key in drawn]

    def itself(self) -> list[str]:
        """A trial with the keys of the search beside it."""
        return [*self.fixed, *self.search, *self.chosen(self.of({one.key: one.ends[0] for one in self.ranges}))]

    def probes(self) -> list[list[str]]:
        """Trials at the borders, to be checked: all combinations, or each border alone if there are too many."""
        ends = [[{one.key: end} for end in one.ends] for one in self.ranges]
        if math.prod(map(len, ends)) <= PROBES:
            drawn = [reduce(or_, chosen) for chosen in product(*ends)]
        else:
            first = reduce(or_, (some[0] for some in ends))
            drawn = [first | end | self._needed(end) for some in ends for end in some]
        return [self.overrides(self.of(values)) for values in drawn]

    def _needed(self, end: Mapping[str, Any]) -> dict[str, Any]:
        """The choice of a group with which the key of this end is there."""
        rules = [self.conditions[key] for key in end if key in self.conditions]
        return {rule.group: rule.positions[0] for rule in rules}


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
    rest = tuple(text for text in fixed if text not in search)
    return Space(tuple(ranges), rest, tuple(search), _conditions(composer, ranges, rest))


def _conditions(composer: Composer, ranges: Sequence[Interval | Listed], fixed: Sequence[str]) -> dict[str, Condition]:
    """Which ranges are over keys that only some of the listed options of a group have."""
    groups = [one for one in ranges if isinstance(one, Listed) and one.key in composer.groups]
    values = [one for one in ranges if one not in groups and one.key[:1] not in ("+", "~")]
    if not groups or not values:
        return {}
    choices = [text for text in fixed if text.partition("=")[0].lstrip("+") in composer.groups]
    first = {one.key: 0 for one in groups}
    there: dict[str, list[set[str]]] = {}
    for group in groups:
        drawn = [first | {group.key: position} for position in range(len(group.values))]
        options = [[one.override(which[one.key]) for one in groups] for which in drawn]
        there[group.key] = [_keys(composer, [*choices, *texts]) for texts in options]
    found = {}
    for one in values:
        for key, sets in there.items():
            positions = tuple(position for position, keys in enumerate(sets) if one.key in keys)
            if one.key not in found and 0 < len(positions) < len(sets):
                found[one.key] = Condition(key, positions)
    return found


def _keys(composer: Composer, overrides: Sequence[str]) -> set[str]:
    """The keys of a configuration; none where it does not compose, which is said of the trials."""
    try:
        return set(keys_of(composer.compose(overrides).config))
    except ConfigError:
        return set()


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
