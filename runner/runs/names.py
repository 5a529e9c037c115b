"""What runs are called: what they differ in from the defaults, or from each other."""

from collections.abc import Collection, Iterable, Sequence

from runner.experiment.experiment import Experiment

REPEATS = ("seed", "dataset.fold")  # runs that differ in these alone are one setting, made more than once
SILENT = ("hydra", "tracking", "plots", "progress", "dataset.sha256", "~")  # overrides that no name needs


def run_name(experiment: Experiment) -> str:
    """What the run differs in from the defaults, short: `dataset=xor hidden=[4] init=he_normal lr=0.01 seed=3`."""
    if experiment.tracking.run_name:
        return experiment.tracking.run_name
    return with_fault(short_name(experiment.overrides) or experiment.dataset.name, experiment)


def title(name: str, experiment: Experiment) -> str:
    """The run's name in a store, beside the runs of other commands: what it differs in from them stands first.

    Settings go before what is chosen of the groups, which many runs share, and the seed behind the first word: lists
    cut names off. Then comes what the run shares with the other jobs of its sweep.
    """
    chosen = experiment.tracking.run_name
    if name == chosen:
        return name
    groups = {_word(text) for text in experiment.overrides if "." not in text.partition("=")[0]}
    words = _arranged(name.split(), groups)
    shared = [chosen] if chosen else _arranged(short_name(experiment.overrides).split(), groups)
    words += [word for word in shared if word not in words]
    if words and words[-1].startswith("seed="):
        words.append(experiment.dataset.name)
    return " ".join(words)[:250]


def _arranged(words: Sequence[str], groups: Collection[str]) -> list[str]:
    seed = [word for word in words if word.startswith("seed=")]
    rest = sorted((word for word in words if word not in seed), key=lambda word: word in groups)
    return [*rest[:1], *seed, *rest[1:]]


def with_fault(name: str, experiment: Experiment) -> str:
    """A run's name, and the fault where it has one that the name does not say."""
    fault = experiment.config["fault"]["name"]
    return name if fault == "none" or f"fault={fault}" in name.split() else f"{name[:200]} fault={fault}"


def _brief(value: str) -> str:
    """A number without the digits that only its type asks for: 1000000000.0 is 1e+09; text without Hydra's escapes."""
    value = value.replace("\\", "")
    try:
        return value if value.lstrip("-").isdigit() else f"{float(value):.6g}"
    except ValueError:
        return value


def short_name(overrides: Iterable[str]) -> str:
    """The overrides, short, in their order.

    >>> short_name(["dataset=xor", "optimizer.lr=0.10", "tracking=none", "seed=3"])
    'dataset=xor lr=0.1 seed=3'
    """
    return " ".join(word for override in overrides if (word := _word(override)))[:250]


def _word(override: str) -> str:
    """An override in a name; empty for those that no name needs."""
    key, _, value = override.lstrip("+").partition("=")
    if key.startswith(SILENT):
        return ""
    return value if key == "experiment" else f"{key.split('.')[-1]}={_brief(value)}"


def what_differs(overrides: Sequence[Sequence[str]]) -> list[str]:
    """A name for each job: the overrides that are not the same in all of them.

    >>> what_differs([["dataset=xor", "seed=0"], ["dataset=xor", "seed=1"]])
    ['seed=0', 'seed=1']
    """
    same = set.intersection(*(set(job) for job in overrides))
    return [short_name(item for item in job if item not in same) or short_name(job) or "run" for job in overrides]
