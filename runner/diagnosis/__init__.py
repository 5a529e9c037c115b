"""Why a run failed: its trace and experiments on scratch copies in, findings out. NumPy only.

It looks at a run only when that has failed, and after it. Symptoms do not identify causes, so every cause is told by an
experiment (`causes`, `dynamics`) that its rivals do not pass. The cause found is fixed, the run made again, and what
still fails is looked at in the same way: findings come in the order in which they must be fixed.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from runner.diagnosis import causes as proved
from runner.diagnosis import dynamics, settings
from runner.diagnosis.case import UNDETERMINED, Case, Course, Finding, Verdict
from runner.diagnosis.evidence import Evidence
from runner.diagnosis.gradient.measure import Check
from runner.diagnosis.symptoms import meaning, symptom
from runner.diagnosis.watch import OutOfTime, Watch
from runner.training import threads

MOST = 3  # causes of one run, one behind the other
# Whatever is measured behind these is off by more: large inputs multiply the curvature, a schedule takes the rate.
UPSTREAM = ("inputs_unscaled", "targets_unscaled", "schedule_too_fast", "patience_too_short", "clip_too_small")
INSIDE = (  # causes that are looked for in mathematics that the configuration names; the gradient check has the others
    "labels_out_of_range",
    "wrong_output_derivative",
    "wrong_activation_derivative",
    "wrong_mean",
    "wrong_backpropagation",
    "wrong_update",
    "no_nonlinearity",
    "dead_units",
    "over_regularised",
    "overfitting",
    "saturated_loss",
    "biased_by_epsilon",
)
LONG = ("budget_too_short",)  # causes whose trials take many times the run's own iterations


def failed(case: Case, course: Course) -> bool:
    """Whether there is anything to diagnose: numbers that are none, or a finished run that missed its target."""
    if course.status == "diverged" or course.nonfinite:
        return True
    return course.status == "finished" and not case.reached(course.final())


def cause_of(name: str) -> Callable[[Evidence], Verdict]:
    """A cause's function by its name."""
    rooms = (proved, dynamics, settings)
    found: Callable[[Evidence], Verdict] = next(getattr(room, name) for room in rooms if hasattr(room, name))
    return found


def diagnose(case: Case, course: Course, causes: Sequence[str], watch: Watch | None = None) -> list[Finding]:
    """The findings of a run, in the order in which they must be fixed; none where it has not failed.

    `causes` are the names to consider, in the order in which they are fixed; `watch` says how far is looked. Where it
    ends the search before a cause was found, the finding is `undetermined` and says so.
    """
    findings: list[Finding] = []
    watch = watch or Watch()
    try:
        _stages(case, course, causes, watch, findings)
    except OutOfTime:
        if not findings:
            line = f"the search was ended after {watch.experiments} experiments, before one told a cause"
            more = "more time: diagnosis.seconds=600"
            findings.append(_finding(Evidence(case, course), UNDETERMINED, Verdict(evidence=(line, more)), []))
    return findings


def _stages(case: Case, course: Course, causes: Sequence[str], watch: Watch, findings: list[Finding]) -> None:
    """Add one cause behind the other to `findings`: what is found is fixed, and what still fails is looked at."""
    stages = 0
    if not case.known:
        causes = [name for name in causes if name not in INSIDE]
    with threads.limited(case.recipe), np.errstate(all="ignore"):
        while failed(case, course) and stages < MOST:
            left = [name for name in causes if name not in {finding.cause for finding in findings}]
            evidence = Evidence(case, course, watch)
            found = _named(evidence, left)
            if findings and found[0].cause == UNDETERMINED:
                break
            findings += found
            mend = tuple(found[0].override)
            outcome = evidence.trial(mend) if mend else None
            stages += 1
            if outcome and outcome.cures:
                place = len(findings) - len(found)
                beside = outcome.words() + (", with the changes above" if stages > 1 else "")
                findings[place] = findings[place]._replace(shown=beside)
            if outcome and stages > 1:
                together = f"all of these changes together: {outcome.words()}"
                findings[-1] = findings[-1]._replace(evidence=(*findings[-1].evidence, together))
            after = case.changed(*mend) if mend else None
            if outcome is None or after is None or outcome.cures:
                break
            missed = int(np.flatnonzero(~outcome.reached)[0])
            recipe = replace(after.recipe, seed=evidence.seeds[missed])
            case, course = after._replace(recipe=recipe), outcome.courses[missed]


def of_gradient(check: Check, what: str, step: int) -> Finding:
    """What the gradient check alone can say of a run that failed: the layer and the mistake, or that there is none."""
    rho = ", ".join(f"{each.rho:.4g}" for each in check.layers)
    line = f"slope of the cost along the claimed gradient / its size (1 is right), by layer: {rho}"
    if check.mistake is None:
        right = "the gradient is the slope of the cost, so the backward pass is not the cause"
        return Finding(what, step, UNDETERMINED, None, None, (right, line), "", (), (), {})
    mistake = check.mistake
    if check.unsteady:
        return Finding(what, step, UNDETERMINED, None, None, (mistake.sentence,), "", (), (), {})
    cause = "wrong_update" if mistake.kind in proved.UPDATES else "wrong_backpropagation"
    told = [text for each in check.lines for text in each.told]
    if not any(each.sentence == mistake.sentence for each in check.lines):
        told = [f"{mistake.kind}: {mistake.sentence}", *told]
    evidence = (*told[1:], line)
    return Finding(what, step, cause, mistake.layer, "dW", evidence, "", (), (), mistake.evidence, headline=told[0])


def broken(why: str) -> Finding:
    """What is told where diagnosis itself went wrong."""
    verdict = Verdict(evidence=(f"the diagnosis itself failed: {why}",))
    return Finding("unknown", 0, UNDETERMINED, None, None, verdict.evidence, "", (), (), {})


def _named(evidence: Evidence, causes: Sequence[str]) -> list[Finding]:
    """The first cause to be fixed, and what it brought about; `undetermined` where nothing stands out."""
    verdicts: dict[str, Verdict] = {}
    for name in causes:
        if name in LONG and any(verdict.weight == 2 for verdict in verdicts.values()):
            continue  # what is remarkable and fixes the run has been found at a tenth of the price
        if not evidence.case.known and any(name in UPSTREAM and verdicts[name].weight == 2 for name in verdicts):
            break  # each experiment is a training of its own here, and nothing that follows would come before it
        verdict = cause_of(name)(evidence)
        if verdict.weight > 0:
            verdicts[name] = verdict
        if verdict.weight >= 3 and not verdict.consequence:
            break  # proved: what comes later in the order need not be asked
    roots = {name: verdict for name, verdict in verdicts.items() if not verdict.consequence}
    consequences = {name: verdict for name, verdict in verdicts.items() if verdict.consequence}
    if not evidence.case.known:  # nothing is named that no run has shown
        hints = [line for verdict in roots.values() if verdict.weight < 1 for line in verdict.evidence]
        roots = {name: verdict for name, verdict in roots.items() if verdict.weight >= 1}
        if not roots:
            return [_finding(evidence, UNDETERMINED, Verdict(evidence=("no experiment tells a cause", *hints)), [])]
    if not roots and not consequences:
        return [_finding(evidence, UNDETERMINED, Verdict(evidence=("no experiment tells a cause",)), [])]
    first = max(roots, key=lambda name: _rank(name, roots, causes)) if roots else next(iter(consequences))
    same = [name for name in roots if name != first and roots[name].weight == verdicts[first].weight]
    found = [_finding(evidence, first, verdicts[first], same)]
    return found + [_finding(evidence, name, verdicts[name], []) for name in consequences if name != first]


def _rank(name: str, verdicts: dict[str, Verdict], causes: Sequence[str]) -> tuple[float, float, int]:
    """Better shown first; then, of those that fix, the one further from what works; else the one fixed first."""
    verdict = verdicts[name]
    excess = math.inf if name in UPSTREAM else verdict.excess
    return verdict.weight, excess if verdict.weight == 2 else 0.0, -causes.index(name)


def _finding(evidence: Evidence, cause: str, verdict: Verdict, alternatives: Sequence[str]) -> Finding:
    what, step = symptom(evidence.case, evidence.course)
    return Finding(
        symptom=what,
        step=step,
        cause=cause,
        layer=verdict.layer,
        array=verdict.array,
        evidence=verdict.evidence,
        meaning=meaning(evidence.case, evidence.course),
        override=verdict.mend,
        alternatives=alternatives,
        numbers=verdict.numbers,
    )
