"""What a search asks for its next trials: Optuna's samplers, by name.

`search: {name: tpe, startup: 10, ...}` calls `tpe(seed, startup=10)`; the keys that all of them share are those of
`SearchOptions`. Optuna is imported when a search begins and not before: no other command pays for it.
"""

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from typing import Annotated, Any, Protocol

from annotated_types import Ge, Le

from runner.experiment.schema import options, show, suggest, validate
from runner.nn.types import PositiveCount

Seed = Annotated[int, Ge(0), Le(2**32 - 1)]


class Sampler(Protocol):
    """An `optuna.samplers.BaseSampler`."""


def random(seed: Seed) -> Sampler:
    """Every trial drawn from the ranges alone, whatever the others gave (Bergstra & Bengio, JMLR 2012)."""
    from optuna.samplers import RandomSampler

    return RandomSampler(seed)


def tpe(seed: Seed, startup: PositiveCount = 10, multivariate: bool = True) -> Sampler:
    """The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio & Kégl, NeurIPS 2011).

    `startup` trials are drawn at random; `multivariate`: the parameters are modelled together, not each alone. Trials
    of a batch that have no result yet count as bad ones, so that a batch spreads out (the constant liar).
    """
    from optuna.samplers import TPESampler

    return TPESampler(n_startup_trials=startup, multivariate=multivariate, constant_liar=True, seed=seed)


def nsga2(seed: Seed, population: Annotated[int, Ge(2)] = 50) -> Sampler:
    """A genetic algorithm for several objectives (Deb, Pratap, Agarwal & Meyarivan, 2002)."""
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(population_size=population, seed=seed)


def sobol(seed: Seed) -> Sampler:
    """A scrambled Sobol' sequence: as random, but evenly spread over all ranges (Sobol', 1967; Owen, 1998)."""
    from optuna.samplers import QMCSampler

    return QMCSampler(qmc_type="sobol", scramble=True, seed=seed)


@dataclass(frozen=True)
class SearchOptions:
    """How a search is run; `sampler` holds the sampler's own arguments."""

    name: str
    trials: PositiveCount
    batch: PositiveCount
    seed: Seed
    pruning: Annotated[int, Ge(2)] | None
    rungs: PositiveCount
    storage: str
    sampler: Mapping[str, Any]

    def make(self) -> Any:
        """The Optuna sampler."""
        from optuna.exceptions import ExperimentalWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # of interfaces that may change: the version is pinned
            return SAMPLERS[self.name](self.seed, **self.sampler)


SAMPLERS = options(sys.modules[__name__], "Sampler")
COMMON = [field.name for field in fields(SearchOptions) if field.name not in ("name", "sampler")]


def search_options(section: Mapping[str, Any]) -> SearchOptions | None:
    """The checked `search` section; None for search=none."""
    if section["name"] == "none":
        return None
    own = {key: value for key, value in section.items() if key not in ("name", *COMMON)}
    return SearchOptions(section["name"], **{key: section[key] for key in COMMON}, sampler=own)


def search_problems(section: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with a `search` section."""
    name = section.get("name")
    if name not in SAMPLERS:
        known = ["none", *SAMPLERS]
        return (
            []
            if name == "none"
            else [f"search.name must be one of {', '.join(known)}. Got {show(name)}." + suggest(name, known)]
        )
    own = {key: value for key, value in section.items() if key not in ("name", *COMMON)}
    common = {"name": name, **{key: section[key] for key in COMMON if key in section}}
    problems = validate(SAMPLERS[name], {"seed": 0, **own}, "search", elsewhere=COMMON)
    problems += validate(SearchOptions, {**common, "sampler": own}, "search", name="search")
    if find_spec("optuna") is None:
        problems.append(f"search={name} needs optuna, and it is not installed: pip install 'optuna>=5'")
    return problems
