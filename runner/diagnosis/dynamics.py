"""The causes of a failure that are told by training: what, changed alone, fixes the run, and is far from what works.

Each measure has a norm (beyond which a value is remarkable); what fixes is a trial on fresh seeds. A cause that is
remarkable and fixes is named; one without the other is named only where nothing else stands in its way.
"""

import math
from collections.abc import Sequence

import numpy as np

from runner.diagnosis import probes
from runner.diagnosis.case import Overrides, Verdict
from runner.diagnosis.causes import INNOCENT, RIGHT, fresh_init, fresh_inits
from runner.diagnosis.evidence import Evidence
from runner.diagnosis.weighing import weighed

# What works, in the training part of the corpus (docs/diagnosis.md); beyond these a measure is remarkable.
LARGE_INPUTS, SMALL_INPUTS = 10.0, 0.05  # root mean square of a column
LARGE_GAIN, SMALL_GAIN = 4.0, 0.15  # rms(W) sqrt(fan_in) of a layer
EDGE = 2.0  # lr times the largest Hessian eigenvalue
LOW_EDGE = 0.1
LARGE_RATIO, SMALL_RATIO = 0.1, 3e-5  # |ΔW| / |W| a step
DEAD = 0.5  # of the units of a layer
NOWHERE = 0.4  # powers of ten below its norm, from where on a measure is not looked into
FALLING = 0.01  # of the cost, in the last tenth


def inputs_unscaled(evidence: Evidence) -> Verdict:
    """The inputs are far from 0 mean and unit spread: units saturate or die, and no rate suits all weights.

    Definition: the root mean square of a column is above 10 or below .05. Source: LeCun, Bottou, Orr &
    Müller, "Efficient BackProp" (1998), 4.3. Known false positives: large inputs with weights as
    small; rates that fit.
    """
    if evidence.case.scaling == "standardise":
        return INNOCENT
    X = evidence.case.recipe.sets["train"].X
    sizes = np.sqrt((X.astype(float) ** 2).mean(axis=0))
    spread = X.std(axis=0)
    varied = spread > 0
    if not varied.any():
        return INNOCENT
    large, small = float(sizes.max()), float(sizes[varied].max())
    shift = float((np.abs(X.mean(axis=0)) / np.where(varied, spread, 1))[varied].max())
    excess = max(math.log10(large / LARGE_INPUTS), math.log10(SMALL_INPUTS / max(small, 1e-300)))
    line = f"the inputs' root mean square is {large:.3g} (largest column), their mean up to {shift:.3g} spreads from 0"
    mend: Overrides = RIGHT if evidence.case.recipe.fault.sets else evidence.case.standardise
    if excess < -NOWHERE:
        return INNOCENT
    return weighed(evidence, excess, [mend], 1, "X", line, {"rms": large, "shift": shift})


def init_too_large(evidence: Evidence) -> Verdict:
    """Initial weights or biases so large that units saturate or the first steps blow up.

    Definition: rms(W) sqrt(fan_in) of a layer above 4, or biases as large. Source: Glorot & Bengio (2010); He et al.
    (2015). Known false positives: one narrow layer whose few draws happen to be large.
    """
    gains = evidence.gains
    layer = int(gains.argmax()) + 1
    biases = probes.biases(evidence.case.recipe, evidence.theta0)
    size = max(float(gains.max()), biases)
    share = float(evidence.signal0.saturated.max(initial=0))
    line = f"rms(W) sqrt(fan_in) of layer {layer} is {gains.max():.3g} at step 0 (1 keeps the spread)"
    line += f", {share:.0%} of |Z| in a hidden layer are above 5" if share > 0.05 else ""
    numbers = {"gain": float(gains.max()), "biases": biases, "saturated": share}
    if size < LARGE_GAIN / 10**NOWHERE:
        return INNOCENT
    return weighed(evidence, math.log10(size / LARGE_GAIN), fresh_inits(evidence), layer, "W", line, numbers)


def learning_rate_too_high(evidence: Evidence) -> Verdict:
    """The step is longer than the curvature of the cost allows: it climbs out of where it should descend.

    Definition: the run blew up or was thrown back, and lr times the largest Hessian eigenvalue along it reached 2 (full
    batch), or |ΔW|/|W| is above .1 a step; J(W - k lr g) rises for k = 1 and falls for less. Source: Cohen et al. (ICLR
    2021). Known false positives: training at the edge of stability is common and healthy; a run that is not thrown
    back is not accused. A scale of init or inputs that makes the curvature is told by fixing that first.
    """
    case = evidence.case
    if not evidence.blown_up:
        return _too_high_plateau(evidence)
    lr, (start, top) = case.lr, evidence.sharpness
    ratio = evidence.update_ratio()
    steps = evidence.line
    plain = case.plain
    edge = lr * top / EDGE if plain else 0.0
    size = max(edge, ratio / LARGE_RATIO if ratio == ratio else 0.0)
    lines = []
    if plain and top > 0:
        word = "beyond" if edge >= 1 else "at" if edge > 0.8 else "below"
        lines.append(
            f"the largest Hessian eigenvalue reaches {top:.3g} ({start:.3g} at step 0), and 2/lr is {2 / lr:.4g}: "
            f"{word} the edge of stability"
        )
    lines.append(f"median |ΔW|/|W| is {ratio:.2g} a step")
    if np.isfinite(steps[1:]).any():
        words = ", ".join(_move(change) for change in steps)
        lines.append(f"J(W - k lr g) {words} for k = 1, .1, .01 at step {evidence.last[0]}")
    excess = math.log10(max(size, 1e-9) / 0.8)
    changes = [_rate(evidence, factor) for factor in (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)]
    numbers = {"lr": lr, "sharpness": top, "sharpness_at_0": start, "update_ratio": ratio}
    return weighed(evidence, excess, changes, _largest_update(evidence), "W", lines, numbers)


def _too_high_plateau(evidence: Evidence) -> Verdict:
    """A step that is too long may also leave all units dead or saturated, on a plateau that looks calm."""
    ratio = evidence.update_ratio()
    early = _early_ratio(evidence)
    excess = math.log10(max(early, 1e-12) / (3 * LARGE_RATIO))
    if excess < 0:
        return INNOCENT
    line = f"|ΔW|/|W| was {early:.2g} in a step of the first tenth of the run"
    changes = [_rate(evidence, factor) for factor in (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)]
    numbers = {"lr": evidence.case.lr, "update_ratio": ratio, "early_update_ratio": early}
    return weighed(evidence, excess, changes, _largest_update(evidence), "W", line, numbers)


def too_few_units(evidence: Evidence) -> Verdict:
    """The network is too small: no weights of it reach the target.

    Definition: under the best conditions (standardised inputs, fresh init, Adam at two rates, no regularisation, at
    least 3,000 iterations) none of 16 trainings reaches the target, and a larger network does. Source: the
    infimum over a family is its own (.618 for the parity of 1..10 with one ReLU unit). Known false
    positives: a small network whose optimum exists and is hard to find; hence 16 seeds.
    """
    case = evidence.case
    rows, features = case.recipe.sets["train"].X.shape
    if (
        not case.hidden
        or not case.resizes
        or evidence.blown_up
        or features >= rows - 1
        or not case.target.startswith("train/")
    ):
        return INNOCENT
    reached, of = best_conditions(evidence, case.hidden, 8)
    if of == 0 or reached > 0:
        return INNOCENT
    for wider in _wider(case.hidden):
        for activation in dict.fromkeys((case.activation, "tanh")) if case.known else ("",):
            found, tries = best_conditions(evidence, wider, 3, activation)
            if found:
                size = f"architecture.hidden=[{','.join(map(str, wider))}]"
                line = (
                    f"under the best conditions {reached} of {of} trainings of {list(case.hidden)} reach the target, "
                )
                line += f"and {' '.join(filter(None, [str(list(wider)), activation]))} does"
                larger = (size, f"architecture.activation={activation}") if case.known else (size,)
                mend = RIGHT if case.recipe.fault.architecture else larger
                return Verdict(3.0, 1.0, 1, "A", (line,), {"narrow": reached / of, "wide": found / tries}, mend)
    return INNOCENT


def _wider(hidden: Sequence[int]) -> list[tuple[int, ...]]:
    """Larger networks: of the same depth, and of two layers."""
    same = tuple(max(16, 4 * width) for width in hidden)
    return list(dict.fromkeys([same, (max(16, same[0]),) * max(2, len(hidden))]))


def no_nonlinearity(evidence: Evidence) -> Verdict:
    """The hidden layers are linear: the network is a linear one, whatever its depth.

    Definition: the hidden activation is the identity, or there is no hidden layer, and a tanh network under the best
    conditions reaches the target where this one does not. Source: the definition. Known false positives: none.
    """
    case = evidence.case
    if case.hidden and case.activation != "identity":
        return INNOCENT
    rows, features = case.recipe.sets["train"].X.shape
    if features >= rows - 1 or not case.target.startswith("train/"):
        return INNOCENT
    reached, of = best_conditions(evidence, case.hidden, 3)
    hidden = case.hidden or (16,)
    bent, bent_of = best_conditions(evidence, tuple(max(8, width) for width in hidden), 3, "tanh")
    if of == 0 or reached > 0 or not bent:
        return INNOCENT
    line = (
        f"under the best conditions {reached} of {of} seeds of this linear network reach the target, {bent} with tanh"
    )
    mend: Overrides = RIGHT if case.recipe.fault.architecture else ("architecture.activation=tanh",)
    if not case.hidden:
        mend = ("architecture.hidden=[16]", *mend)
    return Verdict(3.0, 2.0, 1, "A", (line,), {"linear": reached / of, "tanh": bent / bent_of}, mend)


def init_too_small(evidence: Evidence) -> Verdict:
    """Initial weights so small that the signal, and with it the gradient, vanishes through the layers.

    Definition: rms(W) sqrt(fan_in) of a layer below .15; the spread of Z by layer shows it. Source: Glorot & Bengio
    (2010). Known false positives: one hidden layer of tanh learns its way out of small weights at a good rate.
    """
    gains = evidence.gains
    layer = int(gains.argmin()) + 1
    spread = ", ".join(f"{value:.3g}" for value in evidence.signal0.spread)
    line = f"rms(W) sqrt(fan_in) of layer {layer} is {gains.min():.3g} at step 0 (1 keeps the spread)"
    line += f"; std(Z) by layer: {spread}" if spread else ""
    excess = math.log10(SMALL_GAIN / max(float(gains.min()), 1e-12))
    if excess < -NOWHERE:
        return INNOCENT
    numbers = {"gain": float(gains.min())}
    if evidence.case.known:
        numbers["output_spread"] = float(evidence.signal0.spread[-1])
    return weighed(evidence, excess, fresh_inits(evidence), layer, "W", line, numbers)


def dead_units(evidence: Evidence) -> Verdict:
    """Half of a layer's units have no slope on any row: nothing reaches their weights any more.

    Definition: f'(Z) = 0 on all rows for at least half of a layer, at step 0 or at the end. Source: Maas, Hannun & Ng
    (2013). Known false positives: sparse ReLU layers that work; a consequence of init, inputs or rate, told by
    what fixes it.
    """
    dead0, dead = evidence.signal0.dead, evidence.signal.dead
    if not len(dead) or max(dead0.max(), dead.max()) < DEAD:
        return INNOCENT
    layer = int((dead0 if dead0.max() >= DEAD else dead).argmax()) + 1
    line = f"{dead0[layer - 1]:.0%} of the units of layer {layer} are dead on every row at step 0"
    line += f", {dead[layer - 1]:.0%} at the end"
    numbers = {"dead_at_0": float(dead0.max()), "dead_at_end": float(dead.max())}
    mends = [*fresh_inits(evidence), ("architecture.activation=leaky_relu",), ("architecture.activation=tanh",)]
    excess = 0.3 if dead0.max() >= DEAD else 0.0
    return weighed(evidence, excess, mends, layer, "Z", line, numbers)


def learning_rate_too_low(evidence: Evidence) -> Verdict:
    """The step is so short that the iterations do not suffice, and a longer one would do.

    Definition: lr times the largest Hessian eigenvalue stays below .1, or |ΔW|/|W| below 3e-5 a step, and a multiple of
    the rate reaches the target in the same iterations. Source: Smith (2017), the range test. Known false positives:
    a plateau of another cause has no curvature either; hence fixed first.
    """
    case = evidence.case
    if evidence.blown_up:
        return INNOCENT
    lr, ratio = case.lr, evidence.update_ratio()
    plain = case.plain
    measures = [SMALL_RATIO / ratio] if ratio > 0 else [1.0]
    lines = [f"median |ΔW|/|W| is {ratio:.2g} a step"]
    if plain:
        top = max(evidence.sharpness[1], 1e-12)
        measures.append(LOW_EDGE / (lr * top))
        lines.append(f"lr times the largest Hessian eigenvalue is {lr * top:.2g}, and below 2 it is stable")
    if evidence.factor != 1:
        part = evidence.factor
        lines.append(f"the update takes {part:.3g} of the gradient in every layer: a rate of {lr * part:.3g}")
    numbers = {"lr": lr, "update_ratio": ratio, "factor": evidence.factor}
    changes = [_rate(evidence, factor) for factor in (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)]
    return weighed(evidence, math.log10(max(measures)), changes, _largest_update(evidence), "W", lines, numbers)


def over_regularised(evidence: Evidence) -> Verdict:
    """L2 or dropout holds the weights where the target cannot be reached.

    Definition: there is L2 or dropout, and without it the run reaches the target. Source: Goodfellow, Bengio &
    Courville (2016), 7.1. Known false positives: none that is fixed by it.
    """
    recipe = evidence.case.recipe
    if not recipe.l2 and not recipe.dropout:
        return INNOCENT
    line = f"l2 is {recipe.l2:g} and dropout {recipe.dropout:g}"
    excess = max(math.log10(max(recipe.l2, 1e-12) / 3e-3), math.log10(max(recipe.dropout, 1e-12) / 0.4))
    mend: Overrides = ("architecture.l2=0.0", "architecture.dropout=0.0")
    return weighed(evidence, excess, [mend], None, "W", line, {"l2": recipe.l2, "dropout": recipe.dropout})


def budget_too_short(evidence: Evidence) -> Verdict:
    """The run was still on its way when it ended.

    Definition: the cost still fell by more than 1 % in the last tenth, and up to ten times the iterations reach the
    target. Source: the definition. Known false positives: a rate that is too low looks the same; whichever is
    nearer to what is usual is named, and the other beside it.
    """
    case, cost = evidence.case, evidence.course.cost
    if evidence.blown_up or len(cost) < 3:
        return INNOCENT
    tenth = cost[max(0, len(cost) - 1 - max(1, len(cost) // 10))]
    fall = float(1 - cost[-1] / tenth) if tenth > 0 else 0.0
    iterations = case.recipe.plan.iterations
    line = f"the cost still fell by {fall:.2%} in the last tenth of the {iterations} iterations"
    changes: list[Overrides] = [
        ("training.epochs=null", f"training.iterations={factor * iterations}") for factor in (3, 10)
    ]
    excess = math.log10(max(fall, 1e-9) / FALLING) / 2
    verdict = weighed(evidence, excess, changes, None, "cost", line, {"fall": fall})
    return verdict if verdict.weight >= 1 else INNOCENT  # a cost that still falls proves nothing


def overfitting(evidence: Evidence) -> Verdict:
    """The training rows are learned, and others are not: what was missed is a target on rows it has not seen.

    Definition: the target is one of held-out rows, the training metric meets it, and the held-out cost is more than
    15 % above its minimum. Source: Prechelt, "Early stopping - but when?" (1998). Known false positives: rows held out
    that are of another kind.
    """
    case, values = evidence.case, evidence.course.values
    name, _, kind = case.target.partition("/")
    if name == "train" or not case.reached({case.target: float(values[f"train/{kind}"][-1])}):
        return INNOCENT
    held = values[f"{name}/cost"]
    rise = float(held[-1] / np.nanmin(held) - 1)
    line = (
        f"{name}/cost ends {rise:.0%} above its minimum, at step {int(evidence.course.steps[int(np.nanargmin(held))])}"
    )
    mends: list[Overrides] = [("architecture.l2=0.003",), ("architecture.l2=0.03",), ("architecture.dropout=0.3",)]
    return weighed(evidence, math.log10(max(rise, 1e-9) / 0.15), mends, None, "W", line, {"rise": rise})


def best_conditions(
    evidence: Evidence, hidden: Sequence[int], seeds: int, activation: str | None = None
) -> tuple[int, int]:
    """(seeds that reach the target, seeds) of a network of these widths where nothing but its size is in the way."""
    case = evidence.case
    iterations = max(3000, min(10_000, case.recipe.plan.iterations))
    ours = (
        "fault=none",
        "architecture.l2=0.0",
        "architecture.dropout=0.0",
        "architecture.epsilon=0.0",
        *(("architecture.loss=cross_entropy",) if case.loss.startswith("cross_entropy") else ()),
        *((f"architecture.activation={activation}",) if activation else ()),
    )
    common = (
        f"architecture.hidden=[{','.join(map(str, hidden))}]",
        *case.standardise,
        *fresh_init(evidence),
        *(ours if case.known else ("architecture.update=ours",)),
        "optimizer=adam",
        "optimizer.clip_norm=null",
        "schedule=constant",
        "training.batch_size=null",
        "training.epochs=null",
        f"training.iterations={iterations}",
    )
    return evidence.reach([(*common, f"optimizer.lr={rate}") for rate in (0.01, 0.05)], seeds)


def _move(change: float) -> str:
    return f"{'rises' if change > 0 else 'falls'} by {abs(change):.2g}" if np.isfinite(change) else "is no number"


def _rate(evidence: Evidence, factor: float) -> Overrides:
    return (f"optimizer.lr={evidence.case.configured_lr * factor:.3g}",)


def _largest_update(evidence: Evidence) -> int | None:
    """The layer with the largest median |ΔW|/|W|."""
    sizes: dict[int, float] = {}
    for key, column in evidence.course.values.items():
        if key.startswith("update_ratio/layer_") and np.isfinite(column).any():
            sizes[int(key.rpartition("_")[2])] = float(np.median(column[np.isfinite(column)]))
    return max(sizes, key=lambda layer: sizes[layer]) if sizes else None


def _early_ratio(evidence: Evidence) -> float:
    """The largest |ΔW|/|W| in the first tenth of the rows."""
    early = max(1, len(evidence.course.steps) // 10)
    columns = [column[:early] for key, column in evidence.course.values.items() if key.startswith("update_ratio/")]
    values = np.concatenate([column[np.isfinite(column)] for column in columns]) if columns else np.empty(0)
    return float(values.max()) if len(values) else 0.0
