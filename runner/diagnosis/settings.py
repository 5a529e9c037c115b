"""Causes that are a single setting of the training: what takes the rate, stops the run, or scales what it learns.

Each is told by its own fact (the setting did act) *and* by a run in which it alone is taken back, on fresh seeds. So a
rate is not called too low where a schedule, a clip or the run's end has taken it.
"""

import math

import numpy as np

from runner.diagnosis.case import Overrides, Verdict
from runner.diagnosis.causes import INNOCENT
from runner.diagnosis.evidence import Evidence
from runner.diagnosis.weighing import weighed

GONE = 0.1  # of the rate, on the mean over the run
STARVED = 10.0  # times the clip: the median norm of the gradient
HEAVY = 0.97  # momentum
SPREAD = 10.0  # of the targets, or 1 / it
STRONG = 0.05  # weight decay
NOISE = 0.03  # of the rows in a batch


def schedule_too_fast(evidence: Evidence) -> Verdict:
    """The schedule takes the rate away before anything is learned: the last steps are next to nothing.

    Definition: on the mean over the iterations, the schedule leaves less than .1 of the rate, and with the rate kept
    constant the run reaches its target. Source: Bengio, "Practical recommendations" (2012), 3.1.1. Known false
    positives: none that is cured by it alone.
    """
    recipe = evidence.case.recipe
    if recipe.schedule.steady:
        return INNOCENT
    total = recipe.plan.iterations
    steps = np.unique(np.linspace(0, total - 1, 200).astype(int))
    factors = np.array([recipe.schedule.factor(int(step), total) for step in steps])
    mean, last = float(factors.mean()), float(factors[-1])
    line = f"the schedule leaves {mean:.2g} of the rate on the mean over the run, {last:.2g} at its end"
    excess = math.log10(GONE / max(mean, 1e-12))
    return weighed(evidence, excess, [("schedule=constant",)], None, "W", line, {"mean": mean, "last": last})


def patience_too_short(evidence: Evidence) -> Verdict:
    """Early stopping ended the run on a plateau, or in the noise, from which it would have learned on.

    Definition: the run stopped before its last iteration, and without patience it reaches its target. Source: Prechelt,
    "Early stopping - but when?" (1998). Known false positives: none; that it stopped early is a fact.
    """
    plan, last = evidence.case.recipe.plan, int(evidence.course.steps[-1])
    if plan.patience is None or last >= plan.iterations or evidence.course.status != "finished":
        return INNOCENT
    line = f"it stopped at step {last} of {plan.iterations}, after {plan.patience} iterations without improvement"
    return weighed(evidence, 1.0, [("training.patience=null",)], None, "cost", line, {"stopped": float(last)})


def clip_too_small(evidence: Evidence) -> Verdict:
    """The gradient is cut to a length at which nothing is learned in the iterations that there are.

    Definition: the median norm of the gradient is above ten times the clip, and unclipped the run reaches its target.
    Source: Pascanu, Mikolov & Bengio (2013), who clip what explodes. Known false positives: none cured by it alone.
    """
    clip = evidence.case.recipe.optimizer_arguments.get("clip_norm")
    norms = evidence.course.values.get("grad_norm", np.empty(0))
    norms = norms[np.isfinite(norms)]
    if not clip or not len(norms):
        return INNOCENT
    times = float(np.median(norms)) / clip
    line = f"the gradient is {times:.3g} times the clip of {clip:g} (median): each step is shortened to that"
    excess = math.log10(max(times, 1e-12) / STARVED)
    return weighed(evidence, excess, [("optimizer.clip_norm=null",)], None, "W", line, {"times": times})


def momentum_too_high(evidence: Evidence) -> Verdict:
    """The velocity remembers so many steps that it swings past every minimum.

    Definition: μ above .97, a memory of 1 / (1 - μ) steps, and with .9 the run reaches its target. Source: Sutskever et
    al. (2013). Known false positives: ill-conditioned problems want .99; not those that are cured by .9 alone.
    """
    arguments = evidence.case.recipe.optimizer_arguments
    key = "momentum" if "momentum" in arguments else "beta1"
    value = float(arguments.get(key, 0.0))
    if value <= 0.9 or evidence.case.steps_itself:
        return INNOCENT
    line = f"{key} {value:g} adds up the last {1 / max(1 - value, 1e-12):.4g} gradients"
    excess = math.log10((1 - HEAVY) / max(1 - value, 1e-12))
    return weighed(evidence, excess, [(f"optimizer.{key}=0.9",)], None, "W", line, {key: value})


def weight_decay_too_strong(evidence: Evidence) -> Verdict:
    """Weight decay pulls the weights to 0 faster than the gradient makes them grow.

    Definition: λ above .05, and without it the run reaches its target. Source: Loshchilov & Hutter (2019). Known false
    positives: none that is cured by it alone.
    """
    decay = float(evidence.case.recipe.optimizer_arguments.get("weight_decay", 0.0))
    if not decay or evidence.case.steps_itself:
        return INNOCENT
    line = f"each step takes {decay:g} of the rate from every weight, whatever the gradient says"
    excess = math.log10(decay / STRONG)
    return weighed(evidence, excess, [("optimizer.weight_decay=0.0",)], None, "W", line, {"weight_decay": decay})


def targets_unscaled(evidence: Evidence) -> Verdict:
    """The targets of a regression are far from unit spread or zero mean: the outputs must first travel there.

    Definition: their root mean square is above 10 or below .1, and standardised the run reaches its target. Source:
    LeCun, Bottou, Orr & Müller, "Efficient BackProp" (1998). Known false positives: a rate and an init that fit.
    """
    case, Y = evidence.case, evidence.case.recipe.sets["train"].Y
    changes: list[Overrides] = case.targets_standardised
    if not changes:
        return INNOCENT
    rms, spread = float(np.sqrt((Y**2).mean())), float(Y.std())
    excess = max(math.log10(max(rms, 1e-300) / SPREAD), math.log10(1 / SPREAD / max(rms, 1e-300)))
    if excess < -0.4:
        return INNOCENT
    line = f"the targets' root mean square is {rms:.4g}, their spread {spread:.4g}, and outputs begin near 0"
    return weighed(evidence, excess, changes, None, "Y", line, {"rms": rms, "spread": spread})


def batch_too_small(evidence: Evidence) -> Verdict:
    """Steps on so few rows that their noise, at this rate, is larger than what they agree on.

    Definition: batches of at most 3 % of the rows, or below 4, and with larger ones the run reaches its target in as
    many iterations. Source: Smith et al. (ICLR 2018): noise grows with the rate over the batch size. Known false
    positives: a rate that is too high; whichever is cured alone by what is usual.
    """
    plan, n = evidence.case.recipe.plan, len(evidence.case.recipe.sets["train"].X)
    excess = math.log10(max(4 / plan.batch_size, NOISE * n / plan.batch_size))
    if plan.batch_size >= n or excess <= 0:
        return INNOCENT  # any run gets better with more rows a step
    line = f"a step sees {plan.batch_size} of {n} rows"
    same = ("training.epochs=null", f"training.iterations={plan.iterations}")
    changes: list[Overrides] = [
        (f"training.batch_size={size}", *same) for size in (32, 128) if plan.batch_size < size < n
    ]
    changes.append(("training.batch_size=null", *same))
    return weighed(evidence, excess, changes, None, "W", line, {"batch_size": float(plan.batch_size)})


def wrong_step(evidence: Evidence) -> Verdict:
    """The network's own step(lr) does not learn where an ordinary one with the same gradients and rate does.

    Definition: with architecture.update=ours and gradient descent, or Adam, at the same rate the run reaches its
    target. Source: the definition. Known false positives: a right rule that wants another rate.
    """
    case = evidence.case
    if not case.steps_itself:
        return INNOCENT
    line = "its own step(lr) is taken out, and an ordinary one put in its place, with its own gradients"
    ours, numbers = ("architecture.update=ours",), {"lr": case.configured_lr}
    rate = f"optimizer.lr={case.configured_lr:g}"
    plain = weighed(evidence, 0.5, [(*ours, "optimizer=gd", rate)], None, "W", line, numbers)
    if plain.weight == 2:
        return plain
    # Adam is faster at a rate that is low for a plain step: that it helps says less.
    return weighed(evidence, 0.0, [(*ours, "optimizer=adam", rate)], None, "W", line, numbers)
