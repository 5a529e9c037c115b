"""What a search asks for its next trials: Optuna's samplers, by name.

`search: {name: tpe, startup: 10, ...}` calls `tpe(seed, startup=10)`; the keys that all of them share are those of
`SearchOptions`. Optuna is imported when a search begins and not before: no other command pays for it.
"""

import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from typing import Annotated, Any, Literal, NamedTuple, Protocol

from annotated_types import Ge, Gt, Le

from runner.experiment.schema import options, show, suggest, validate
from runner.nn.types import PositiveCount

Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
ELSEWHERE = {
    "auto": "Optuna's AutoSampler does not ship with Optuna: it is on OptunaHub, which loads code from the network. "
    "search=gp is for numbers, search=tpe for anything."
}


class Limits(NamedTuple):
    """What a sampler needs or cannot do: a `package` beside Optuna, the `extra` that brings it, a `single` objective,
    only what is `listed` (no intervals); `sequence`: its draws are one sequence, whatever the seed of the process.
    """

    package: str | None = None
    extra: str | None = None
    single: bool = False
    listed: bool = False
    sequence: bool = False


def limited(**limits: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Say what the limits of a sampler are, above its function."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        vars(function)["limits"] = Limits(**limits)
        return function

    return mark


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

    return TPESampler(
        n_startup_trials=startup,
        multivariate=multivariate,
        group=multivariate,  # ranges that only some trials have are modelled among those
        constant_liar=True,
        seed=seed,
    )


def nsga2(seed: Seed, population: Annotated[int, Ge(2)] = 50) -> Sampler:
    """A genetic algorithm for several objectives (Deb, Pratap, Agarwal & Meyarivan, 2002)."""
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(population_size=population, seed=seed)


@limited(sequence=True)
def sobol(seed: Seed) -> Sampler:
    """A scrambled Sobol' sequence: as random, but evenly spread over all ranges (Sobol', 1967; Owen, 1998)."""
    return qmc(seed)


@limited(sequence=True)
def qmc(seed: Seed, sequence: Literal["sobol", "halton"] = "sobol", scramble: bool = True) -> Sampler:
    """Quasi-Monte Carlo: the points of a `sequence` of Sobol' or Halton (Bergstra & Bengio, JMLR 2012).

    `scramble`: shifted and shuffled by the seed, so that it is unbiased; else the same for every seed.
    """
    from optuna.samplers import QMCSampler

    return QMCSampler(
        qmc_type=sequence,
        scramble=scramble,
        seed=seed,
        warn_asynchronous_seeding=False,
    )


@limited(listed=True)
def grid(seed: Seed) -> Sampler:
    """Every combination of what is listed, once, in random order; it ends with the last of them."""
    from optuna.samplers import BruteForceSampler

    return BruteForceSampler(seed=seed)


@limited(package="cmaes", extra="cmaes", single=True)
def cmaes(
    seed: Seed, population: Annotated[int, Ge(5)] | None = None, sigma: Annotated[float, Gt(0)] | None = None
) -> Sampler:
    """The covariance matrix adaptation evolution strategy (Hansen & Ostermeier, Evolutionary Computation 2001).

    For numbers; what is listed without an order is drawn at random. `population`: trials in a generation, null is
    4 + 3 log(how many ranges); `sigma`: the first step, null is a sixth of the smallest range.
    """
    from optuna.samplers import CmaEsSampler

    return CmaEsSampler(seed=seed, popsize=population, sigma0=sigma)


@limited(package="torch", extra="gp")
def gp(seed: Seed, startup: PositiveCount = 10) -> Sampler:
    """A Gaussian process and its expected improvement (Jones, Schonlau & Welch, 1998; Ament et al., NeurIPS 2023).

    `startup` trials are drawn at random. It takes the longest to draw, and is for trials that are expensive.
    """
    from optuna.samplers import GPSampler

    return GPSampler(seed=seed, n_startup_trials=startup)


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
    study: str | None
    timeout: Annotated[float, Gt(0)] | None
    sampler: Mapping[str, Any]

    @property
    def shared(self) -> bool:
        """Whether the trials are an Optuna study, in one of its own storages."""
        return "://" in self.storage

    @property
    def limits(self) -> Limits:
        """What the sampler needs or cannot do."""
        return _limits(self.name)

    def make(self, before: int = 0) -> Any:
        """The Optuna sampler; `before`: how many trials there are that it has not drawn itself.

        Processes at one study draw different trials, though they have the same seed.
        """
        from optuna.exceptions import ExperimentalWarning

        seed = self.seed if self.limits.sequence else (self.seed + before * 0x9E3779B1) % 2**32
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # of interfaces that may change: the version is pinned
            return SAMPLERS[self.name](seed, **self.sampler)


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
    return problems + _missing(name)


def _limits(name: str) -> Limits:
    return getattr(SAMPLERS[name], "limits", Limits())


def _missing(name: str) -> list[str]:
    """What a sampler needs that is not installed."""
    limits = _limits(name)
    if find_spec("optuna") is None:
        return [f"search={name} needs optuna, and it is not installed: pip install 'optuna>=5'"]
    if limits.package is None or find_spec(limits.package):
        return []
    return [
        f"search={name} needs {limits.package}, and it is not installed: pip install '.[{limits.extra}]', or pip "
        f"install {limits.package}"
    ]
