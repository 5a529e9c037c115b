"""What a script does, found out by running it: the loop that trains, its parameters, its cost, its data, its update."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from runner.training.script.execute import Outcome, Run, run_scripts
from runner.training.script.instrument import Loop, Site, Wanted
from runner.training.script.losses import Match
from runner.training.script.process import Limits
from runner.training.script.source import ScriptProblem, Source
from runner.training.script.study import Study
from runner.training.script.survey import Survey
from runner.training.script.unfound import did_not, why_none
from runner.training.script.visits import Visits

COST_WORDS = re.compile(r"cost|loss|err|mse|sse|nll|entropy|objective|(^|\W)[jel](\W|$)", re.IGNORECASE)
OTHER_WORDS = re.compile(
    r"acc|correct|grad|norm|rate|(^|[^a-z])lr|time|pred|score|momentum|(^|[^a-z])d[a-z]?\d", re.IGNORECASE
)
NO_SITES: frozenset[str] = frozenset()
AFTER = 400  # iterations in which a cost is looked for


@dataclass(frozen=True)
class Parameter:
    """An array that training changes: its name, shape, and the line and text of its update."""

    name: str
    shape: tuple[int, ...]
    file: str
    line: int
    end_line: int


@dataclass(frozen=True)
class Data:
    """An array nobody changes: name, shape, where it was seen, and of labels their least, most and values.

    `outside`: where the same numbers stand outside all functions.
    """

    name: str
    key: str
    shape: tuple[int, ...]
    line: int
    about: dict[str, Any] = field(default_factory=dict)
    outside: tuple[Site, ...] = ()


@dataclass(frozen=True)
class Understood:
    """A script as it was understood.

    Attributes:
        loop: whose iterations are the script's own steps or epochs; step: the innermost loop that makes one update.
        iteration: of the loop, the one that was studied: the first in which there is a cost.
        parameters: what is trained; state: what else is carried along (moments, running means).
        cost: where its value first stands, None where none is computed; costs: all sites that have its value;
            others: other numbers that are called like one.
        match: which loss of which outputs and labels the cost is, where it is a known one.
        labels, inputs: the data, where they were recognised.
        output_range: the bounds of the outputs, where they have some; output_line: where they are made.
        sites, loops: what is where.
    """

    source: Source
    loop: Loop
    step: Loop
    iteration: int
    parameters: tuple[Parameter, ...]
    state: tuple[str, ...]
    cost: Site | None
    costs: tuple[Site, ...]
    others: tuple[Site, ...]
    cost_value: float
    match: Match | None
    labels: Data | None
    inputs: Data | None
    output_range: tuple[float, float] | None
    output_line: int
    sites: dict[str, Site]
    loops: dict[str, Loop]
    counts: dict[str, int]
    order: tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """What the user says, where the guess was wrong: the loop's line, names of parameters, of the cost."""

    loop: int | None = None
    cost: str | None = None
    parameters: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()


def understand(source: Source, told: Told, scratch: Path, seconds: float = 60.0) -> Understood:
    """Find out what a script does.

    Raises ScriptProblem, in the words for whoever wrote it, where it does not run, or nothing in it trains.
    """
    limits = Limits(seconds=seconds)

    def run(watcher: Any, wanted: Wanted) -> Outcome:
        outcome = run_scripts([Run(source, watcher, wanted, told.argv, limits=limits)], scratch)[0]
        return outcome

    survey = run(lambda place: Survey(place, seconds / 4), Wanted(sites=NO_SITES, statements=False))
    outer, inner, names = _loops(source, survey, told, seconds)
    each = Wanted(loops=frozenset([outer]), statements=False)
    tried: dict[int, Outcome] = {}
    best: tuple[int, Outcome, str | None] | None = None
    for iteration in _iterations(run, outer, each):
        study = run(_studying(outer, iteration, names, seconds / 4), each)
        if "order" not in study.seen:
            continue
        tried[iteration] = study
        cost = _cost(study, told)
        if best is None or (cost is not None and best[2] is None):
            best = (iteration, study, cost)
        if cost is not None and (_is_named(study.sites[cost]) or cost in study.seen["losses"]):
            best = (iteration, study, cost)
            break
    if best is None:
        if (why := study.seen.get("problem")) is not None:
            raise RuntimeError(why)
        raise ScriptProblem(did_not(source, survey, "no iteration of the loop could be watched"))
    iteration, study, cost = best
    if told.cost is not None and cost is None:
        raise ScriptProblem(_no_cost(source, study, told.cost))
    return _put_together(source, survey, (outer, inner), iteration, study, cost, names, told)


def _studying(loop: str, iteration: int, names: list[str], seconds: float) -> Any:
    return lambda place: Study(loop, iteration, names, place, seconds)


def _iterations(run: Any, outer: str, wanted: Wanted) -> Any:
    """Iterations worth a look: the third, which is like the most; the first; the first with sites that those lack."""
    yield 2
    yield 0
    visits = run(lambda place: Visits(outer, AFTER), wanted)
    yield from visits.seen.get("late", [])[:2]
    yield 1


def _loops(source: Source, survey: Outcome, told: Told, seconds: float) -> tuple[str, str, list[str]]:
    """The loop, the loop of one update within it, and the names of all that lasts from one iteration to the next."""
    passed = survey.seen.get("passed", [])
    seen = survey.seen.get("loops", {})
    if told.loop is not None:
        at = [key for key, loop in survey.loops.items() if loop.line == told.loop]
        if not at:
            lines = ", ".join(str(loop.line) for loop in survey.loops.values()) or "none"
            raise ScriptProblem(f"--loop must be the line of a loop. Got {told.loop}. Loops stand in lines {lines}.")
        passed = [key for key in at if seen.get(key, {}).get("probe")]
        if not passed:
            raise ScriptProblem(f"--loop {told.loop}: its iterations change no array that lives on.")
    if not passed:
        raise ScriptProblem(why_none(source, survey, seconds))
    outer = min(passed, key=lambda key: len(seen[key]["parents"]))
    within = [key for key in passed if key == outer or outer in seen[key]["parents"]]
    inner = max(
        within, key=lambda key: (_sizes(seen[key]["probe"]) >= _sizes(seen[outer]["probe"]), len(seen[key]["parents"]))
    )
    names = [name for name, each in seen[outer]["probe"].items() if each["lasts"]]
    return outer, inner, names


def _sizes(probe: dict[str, Any]) -> int:
    """How many arrays last and take part: those a loop of one update has in common with the loop around it."""
    return sum(1 for each in probe.values() if each["lasts"] and each["shape"])


def _is_named(site: Site) -> bool:
    return bool(COST_WORDS.search(site.name)) and not OTHER_WORDS.search(site.name)


def _cost(study: Outcome, told: Told) -> str | None:
    """The site whose value is the cost: shown or compared, named like one, of a known loss."""
    seen = study.seen
    dependent = {key for each in seen["depends"].values() for key in each["last"]}
    scalars = {key: value for key, value in seen["scalars"].items() if key in dependent and key in study.sites}
    updates = {key for each in seen["updates"].values() for key in each["sites"]}
    if told.cost is not None:
        named = [key for key in scalars if study.sites[key].name.split(".")[-1] == told.cost.split(".")[-1]]
        return _first(seen, scalars, named[-1]) if named else None
    wide = {key: len([1 for each in seen["depends"].values() if key in each["last"]]) for key in scalars}
    shown = {round(value, 14) for key, value in scalars.items() if study.sites[key].kind in ("shown", "compared")}
    best: tuple[float, str] | None = None
    for place, (key, value) in enumerate(scalars.items()):
        site = study.sites[key]
        score = 5.0 * _is_named(site) + 4.0 * (key in seen["losses"]) + 5.0 * (round(value, 14) in shown)
        score += 2.0 * (wide[key] == max(wide.values())) - 6.0 * bool(OTHER_WORDS.search(site.name))
        score -= 8.0 * (key in updates) + 3.0 * (site.kind == "argument")
        score += 1e-6 * place
        if score >= 5.0 and (best is None or score > best[0]):
            best = (score, key)
    return None if best is None else _first(seen, scalars, best[1])


def _first(seen: dict[str, Any], scalars: dict[str, float], key: str) -> str:
    """The first site in the order of computation that has the value: where the cost is computed."""
    same = [each for each in seen["order"] if each in scalars and scalars[each] == scalars[key]]
    made = [each for each in same if each.split("|")[2] in ("assigned", "augmented", "returned")]
    return (made or same or [key])[0]


def _no_cost(source: Source, study: Outcome, name: str) -> str:
    names = sorted(
        {site.name for key, site in study.sites.items() if key in study.seen["scalars"] and site.name.isidentifier()}
    )
    near = get_close_matches(name, names, 1)
    hint = f" Did you mean {near[0]}?" if near else f" Numbers there: {', '.join(names[:12])}."
    return f"--cost must be a number that the loop computes from its parameters. Got {name}.{hint}"


def _put_together(
    source: Source,
    survey: Outcome,
    loops: tuple[str, str],
    iteration: int,
    study: Outcome,
    cost: str | None,
    names: list[str],
    told: Told,
) -> Understood:
    seen = study.seen
    parameters = _parameters(study, cost, names, survey.seen["loops"][loops[0]]["probe"], told)
    scalars = seen["scalars"]
    costs = [each for each in seen["order"] if cost is not None and scalars.get(each) == scalars.get(cost)]
    match = next((Match(**seen["losses"][key]) for key in costs if key in seen["losses"]), None)
    if match is None and cost is not None:  # a cost with a penalty has a part that is a known loss
        near = [key for key in seen["losses"] if _is_named(study.sites[key])] if seen["losses"] else []
        match = Match(**seen["losses"][near[0]]) if near else None
    labels = _data(study, match.labels) if match is not None else None
    return Understood(
        source,
        survey.loops[loops[0]],
        survey.loops[loops[1]],
        iteration,
        tuple(_parameter(study, name) for name in parameters),
        tuple(name for name in names if name not in parameters),
        study.sites[cost] if cost is not None else None,
        tuple(study.sites[each] for each in costs if each in study.sites),
        tuple(
            study.sites[each]
            for each in seen["order"]
            if each in scalars and each not in costs and each in study.sites and _is_named(study.sites[each])
        ),
        float(scalars[cost]) if cost is not None else float("nan"),
        match,
        labels,
        _inputs(
            study, labels, [tuple(seen["updates"][name]["shape"]) for name in parameters if name in seen["updates"]]
        ),
        _bounds(seen["ranges"].get(match.output)) if match is not None else None,
        study.sites["|".join(match.output.split("|")[:5])].line if match is not None else 0,
        study.sites,
        survey.loops,
        seen["counts"],
        tuple(seen["order"]),
    )


def _bounds(seen: list[float] | None) -> tuple[float, float] | None:
    """The range of a sigmoid, a softmax or a tanh, where outputs kept to one however large the parameters were."""
    if seen is None or not all(abs(each) <= 1 + 1e-9 for each in seen):
        return None
    return (0.0, 1.0) if seen[0] >= 0 else (-1.0, 1.0)


def _parameters(study: Outcome, cost: str | None, names: list[str], probe: dict[str, Any], told: Told) -> list[str]:
    """Of what lasts, what something depends on before the first update: the weights; moments come later."""
    if told.parameters:
        wanted = {each.strip() for each in told.parameters}
        found = [name for name in names if name in wanted or name.split(".")[-1] in wanted]
        missing = [each for each in wanted if not any(name == each or name.split(".")[-1] == each for name in names)]
        if missing:
            near = get_close_matches(missing[0], names, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ScriptProblem(
                f"--parameters must be arrays that the loop changes ({', '.join(names)}). Got {missing[0]}.{hint}"
            )
        return found
    depends, updates = study.seen["depends"], study.seen["updates"]
    moving = [name for name in names if name in updates and name in depends]
    sites = {key for each in updates.values() for key in each["sites"]}
    update = next((number for number, key in enumerate(study.seen["sequence"]) if key in sites), None)
    if update is not None:
        found = [name for name in moving if depends[name]["early"] < update]
        shapes = [updates[name]["shape"] for name in found]
        found += [name for name in moving if name not in found and updates[name]["shape"] not in shapes and cost
                  and cost in depends[name]["last"] and updates[name]["shape"]]  # fmt: skip
    elif cost is not None:
        found = [name for name in moving if cost in depends[name]["last"]]
    else:
        found = [name for name in moving if probe[name]["step"] or set(probe[name]["others"]) & set(moving)]
    arrays = [name for name in found if probe[name]["shape"]]
    numbers = [name for name in found if not probe[name]["shape"] and probe[name]["others"]]
    return arrays + [name for name in numbers if not COST_WORDS.search(name)]


def _parameter(study: Outcome, name: str) -> Parameter:
    update = study.seen["updates"].get(name, {"sites": [], "shape": []})
    sites = [study.sites[key] for key in update["sites"]]
    made = [site for site in sites if site.kind in ("augmented", "assigned")] or sites
    tail = re.findall(r"[^\W\d]\w*", name)[-1:]  # a value may stand in several places: the one of that name is meant
    best = next((site for site in made if tail and tail[0] in site.name), made[0] if made else None)
    shape = tuple(update["shape"])
    return Parameter(name, shape, best.file if best else "", best.line if best else 0, best.end_line if best else 0)


def _data(study: Outcome, key: str) -> Data:
    about = study.seen["labels"].get(key, {"shape": []})
    outside = tuple(study.sites[each] for each in study.seen.get("same", {}).get(key, []) if each in study.sites)
    if key.startswith("place|"):
        return Data(key.removeprefix("place|"), key, tuple(about["shape"]), 0, about, outside)
    site = study.sites["|".join(key.split("|")[:5])]
    return Data(_element(site.name, key.split("|")[5:]), key, tuple(about["shape"]), site.line, about, outside)


def _element(name: str, rest: list[str]) -> str:
    """Of `xb, yb` the one that is meant."""
    names = name.strip("()").split(", ")
    place = int(rest[0]) if rest and rest[0].isdigit() else -1
    return names[place] if 0 <= place < len(names) and len(names) > 1 else name


def _inputs(study: Outcome, labels: Data | None, shapes: Sequence[tuple[int, ...]]) -> Data | None:
    """The array that nobody changes with a row for each label, as wide as a first layer's weights."""
    rows = {max(labels.shape)} if labels is not None and labels.shape else set()
    widths = {size for shape in shapes for size in shape if len(shape) == 2}
    best: tuple[float, Data] | None = None
    for key, about in study.seen["labels"].items():
        shape = about["shape"]
        if labels is not None and key == labels.key:
            continue
        if len(shape) != 2 or not (rows & set(shape)) or not (widths & set(shape)):
            continue
        data = _data(study, key)
        named = bool(re.search(r"x|input|feature|data|image", data.name.rpartition(".")[2].lower()))
        score = 2.0 * named + (data.name.isidentifier() or "." in data.name) - 3.0 * key.startswith("place|")
        score -= 2.0 * bool(re.search(r"test|val", data.name.lower()))
        if best is None or score > best[0]:
            best = (score, data)
    return best[1] if best else None


def with_source(understood: Understood, source: Source) -> Understood:
    """The same, of an edited source."""
    return replace(understood, source=source)
