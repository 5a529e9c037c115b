"""Between a recorded run and `runner.diagnosis`: a failed run's case, and its findings into its record.

Diagnosis knows neither configurations nor files. Here an experiment becomes a `Case` whose variants are composed as the
command line would, and findings go to summary.json, to the journal, and as tags and a note to the run in MLflow.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from runner import Refusal, diagnosis
from runner.diagnosis import causes, cures, dynamics, settings
from runner.diagnosis.case import UNDETERMINED, Case, Course, Finding, Overrides, merged
from runner.diagnosis.evidence import FRESH
from runner.diagnosis.gradient.check import check_recipe
from runner.diagnosis.watch import Watch
from runner.experiment.build import build_plain, compose_with
from runner.experiment.compose import Composer
from runner.experiment.experiment import Experiment
from runner.runs import failures, trace
from runner.runs.files import SUMMARY, spelled, write_summary
from runner.runs.gradients import GradientChecks
from runner.runs.journal import Journal, first
from runner.runs.result import Result
from runner.training.kinds import kind_of
from runner.training.nonfinite import NonFinite

WRONG_GRADIENT = "wrong gradient"  # the symptom of a run that has not failed
NOTE, TAG = "mlflow.note.content", "diagnosis"
SINGLE, SWEEP = 60.0, 15.0  # seconds of computing after a run, and after a sweep
CURE_OF, CURED_BY = "cure_of", "cured_by"


def diagnose(
    results: Sequence[Result],
    composer: Composer,
    checks: GradientChecks | None = None,
    follow: Callable[[Path], None] = lambda directory: None,
    watch: Watch | None = None,
) -> list[Result]:
    """Find out why those that failed did, and record it; returns those that have findings.

    Of a sweep's failures `diagnosis.most` are looked at, one of each kind first (runner.runs.failures), as long as
    `watch` allows. A gradient that was found wrong by `checks` is a finding, whether the run failed or not. `follow` is
    told of each run whose journal got something after its end.
    """
    checks, watch = checks or GradientChecks(), watch or Watch()
    most = results[0].experiment.diagnosis.most if results else 0
    for number, result in enumerate(failures.chosen(results, most)):
        if number and watch.over:
            break  # those that were looked at are told of, and how to see the others
        _diagnose(result, composer, checks, watch)
        follow(result.directory)
    for result in results:
        known = checks.of(result.experiment)
        if known is not None and known.wrong and known.check is not None and not result.findings:
            result.findings = [plain(diagnosis.of_gradient(known.check, WRONG_GRADIENT, 0))]
            record(result)
            follow(result.directory)
    return [result for result in results if result.findings]


def budget(results: Sequence[Result]) -> float:
    """The seconds of computing that a command's failures may take: `diagnosis.seconds`, or as usual.

    Of one run that is a minute, or ten times its training where that is more; of a sweep 15 seconds.
    """
    asked = results[0].experiment.diagnosis.seconds
    if asked != "auto":
        return float(asked)
    return max(SINGLE, 10 * results[0].seconds) if len(results) == 1 else SWEEP


def _diagnose(result: Result, composer: Composer, checks: GradientChecks, watch: Watch) -> None:
    """One run. That diagnosis itself goes wrong is told in its place, and changes nothing about the run."""
    try:
        result.findings = [plain(finding) for finding in _found(result, composer, checks, watch)]
    except Exception as error:
        result.findings = [plain(diagnosis.broken(f"{type(error).__name__}: {error}"))]
    record(result)


def _found(result: Result, composer: Composer, checks: GradientChecks, watch: Watch) -> list[Finding]:
    """Streamed rows cannot be looked at. Of a network of the user's own the gradient is looked at first; where that is
    right, the same experiments are made as with ours, on copies of it."""
    experiment = result.experiment
    kind = kind_of(experiment.recipe)
    right: Sequence[str] = ()
    if not kind.in_memory:
        return []
    if not kind.known:
        what = "non-finite" if result.nonfinite else "target missed"
        step = result.nonfinite.step if result.nonfinite else result.step
        known = checks.of(experiment)
        check = known.check if known is not None and known.check is not None else check_recipe(experiment.recipe)
        of_gradient = diagnosis.of_gradient(check, what, step)
        if not check.ok:
            return [of_gradient]
        right = of_gradient.evidence
    case, course = case_of(experiment, composer), course_of(result.directory)
    found = diagnosis.diagnose(case, course, experiment.diagnosis.causes, watch)
    if found and right:
        found[0] = found[0]._replace(evidence=(*found[0].evidence, *right))
    return found


def case_of(experiment: Experiment, composer: Composer) -> Case:
    """An experiment as diagnosis sees it, its variants composed from its resolved configuration."""

    def vary(changes: Overrides) -> Case | None:
        try:
            return _case(build_plain(composer.varied(experiment.config, changes)), vary, changes)
        except Refusal:  # it does not go with it, or the user's code raises
            return None

    return _case(experiment, vary, ())


def course_of(directory: Path) -> Course:
    """How a recorded run went."""
    run = trace.load(directory)
    nonfinite = NonFinite(**run.nonfinite) if run.nonfinite else None
    ours = [array for layer in run.weights for array in layer]
    arrays = ours if run.known else [run.arrays[name] for name, _ in run.network["own"]["layout"]]
    theta = np.concatenate([np.ravel(array) for array in arrays])
    return Course(run.steps, run.values, run.status, nonfinite, theta)


def plain(finding: Finding) -> dict[str, Any]:
    """A finding as JSON has it."""
    numbers = {key: float(value) for key, value in finding.numbers.items()}
    lists = {key: list(getattr(finding, key)) for key in ("evidence", "override", "alternatives")}
    return spelled({**finding._asdict(), **lists, "numbers": numbers})


def cured(
    results: Sequence[Result],
    composer: Composer,
    make: Callable[[Experiment, Path, dict[str, str]], Result],
    watch: Watch | None = None,
) -> list[tuple[Result, Result | None]]:
    """Search a cure for each run that has findings and asks for it, and `make` a run of it: (the run, its cure's run).

    The run of the cure is that of the first of the fresh seeds it was found on; the two are linked by the tags
    `cure_of` and `cured_by`, which hold the other's `runner.uid`.
    """
    pairs: list[tuple[Result, Result | None]] = []
    for result in results:
        experiment = result.experiment
        if not result.findings or not experiment.diagnosis.cure or not kind_of(experiment.recipe).in_memory:
            continue
        if not kind_of(experiment.recipe).known and result.findings[0]["cause"].startswith("wrong_"):
            _record_cure(result, None, None)
            pairs.append((result, None))
            continue
        found = [Finding(**finding) for finding in result.findings]
        case = case_of(experiment, composer)
        cure = cures.search(case, found, experiment.diagnosis.seeds, watch)
        run = None
        if cure.best is not None:
            overrides = merged(experiment.overrides, (*cure.best.overrides, f"seed={FRESH}"))
            tags = {CURE_OF: str(first(result.directory)["uid"])}
            run = make(compose_with(composer, overrides), result.directory / "cure", tags)
        _record_cure(result, cure, run)
        pairs.append((result, run))
    return pairs


def _record_cure(result: Result, cure: cures.Cure | None, run: Result | None) -> None:
    """The cure stands with the first finding; a run of it that misses the target is none. None: no setting can be one,
    for the mistake is in the user's own lines."""
    if cure is None:
        words = "the mistake is in the code of your network, and no setting fixes that"
        result.findings[0]["cure"] = {"override": [], "words": words, "tried": []}
        record(result)
        return
    best = cure.best if run is not None and run.target_reached else None
    words = f"none of the {len(cure.tried)} changes that were tried reaches the target on all of its seeds"
    if best is not None:
        words = f"`{' '.join(best.overrides)}` reaches the target on {best.reached} of {best.of} fresh seeds"
    tried = [{**each._asdict(), "overrides": list(each.overrides)} for each in cure.tried]
    override = list(best.overrides) if best else []
    result.findings[0]["cure"] = {"override": override, "words": words, "tried": tried}
    record(result)
    if run is not None and best is not None:
        with Journal.supplement(result.directory) as journal:
            journal.tags({CURED_BY: str(first(run.directory)["uid"])})


def record(result: Result) -> None:
    """The findings into summary.json, and after the end of the journal: as they are, as a tag and as a note."""
    write_summary(result.directory, {"findings": result.findings})
    with Journal.supplement(result.directory) as journal:
        for finding in result.findings:
            journal.finding(finding)
        named = [finding["cause"] for finding in result.findings]
        journal.tags({TAG: ", ".join(named), NOTE: note(result.findings)} if named else {})
        journal.artifact(SUMMARY)


def note(findings: Sequence[dict[str, Any]]) -> str:
    """The findings in Markdown: what the run's page in MLflow shows."""
    lines = []
    for number, finding in enumerate(findings, 1):
        where = f", layer {finding['layer']} `{finding['array']}`" if finding["layer"] else ""
        lines.append(f"### {number}. {headline(finding)}")
        meaning = f" {finding['meaning']}." if finding["meaning"] else ""
        lines.append(f"**{finding['symptom']}** at step {finding['step']}{where}.{meaning}")
        lines.append("\n".join(f"- {line}" for line in finding["evidence"] if line.strip()))
        if finding["alternatives"]:
            lines.append(
                "The evidence does not rule out: " + ", ".join(finding["alternatives"]).replace("_", " ") + "."
            )
        if page := explained(finding):
            lines.append(f"About this cause: {page}.")
        if finding["override"]:
            said = advice(finding)
            lines.append(f"{said[0].upper()}{said[1:]} `{' '.join(finding['override'])}`.")
        if finding["cure"]:
            head = "Cured" if finding["cure"]["override"] else "No cure found"
            lines.append(f"**{head}**: {finding['cure']['words']}.")
    return "\n\n".join(lines)


def advice(finding: Mapping[str, Any]) -> str:
    """What an override is called: a fix where it was run and reached the target, else something to try."""
    shown = finding.get("shown")
    return f"fix it with ({shown})" if shown else "not shown to be enough, but try"


def headline(finding: Mapping[str, Any]) -> str:
    """What is wrong, in one line: the gradient check's own sentence where it is the gradient, else the cause's name."""
    return str(finding.get("headline") or finding["cause"].replace("_", " "))


def _case(experiment: Experiment, vary: Callable[[Overrides], Case | None], changes: Overrides) -> Case:
    config, dataset = experiment.config, experiment.dataset
    kind, own = kind_of(experiment.recipe), experiment.recipe.own
    return Case(
        recipe=experiment.recipe,
        target=experiment.target.metric,
        goal=experiment.target.value,
        constant=experiment.constant_cost,
        labels=experiment.labels,
        dataset=dataset.name,
        classes=len(dataset.classes or ()),
        scaling=config["dataset"]["scaling"],
        activation=experiment.activation,
        output=experiment.output,
        loss=experiment.loss,
        epsilon=float(config["architecture"].get("epsilon", 0.0)),
        init=config["init"]["name"],
        optimizer=config["optimizer"]["name"],
        configured_lr=float(config["optimizer"]["lr"]),
        fault=config["fault"]["name"],
        alike=experiment.stack_key(),
        vary=vary,
        changes=changes,
        above=experiment.target.above,
        known=kind.known,
        resizes=own is None or own.options.hidden is not None,
        steps_itself=kind.updates_itself,
        target_scaling=config["dataset"].get("target_scaling") or "none",
    )


def explained(finding: Mapping[str, Any]) -> str:
    """Where its cause is explained: symptom, reason, fix; '' where it is none of those that have a section."""
    cause = str(finding["cause"])
    known = cause == UNDETERMINED or any(hasattr(room, cause) for room in (causes, dynamics, settings))
    return f"docs/causes.md#{cause.replace('_', '-')}" if known else ""
