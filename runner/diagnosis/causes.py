"""The causes of a failure, one function each: evidence in, verdict out. Here those that are proved without training.

To add one: a function that returns a `Verdict`, here or in `runner.diagnosis.dynamics`, and its name in the list
`causes` of conf/diagnosis/default.yaml, at its place in the order in which causes must be fixed.
"""

import numpy as np

from runner.diagnosis import probes
from runner.diagnosis.case import Overrides, Verdict
from runner.diagnosis.evidence import Evidence

INNOCENT = Verdict()
RIGHT: Overrides = ("fault=none",)
UPDATES = ("ascent", "bias not updated", "accumulated", "wrong update")
OWN_INIT: Overrides = ("architecture.init=xavier_normal", "architecture.init_scale=1.0")
FROM_LOGITS: Overrides = ("architecture.loss=cross_entropy", "architecture.epsilon=0.0")


def labels_out_of_range(evidence: Evidence) -> Verdict:
    """Targets outside of what the output function can give: the cost has a floor above 0 that no weights get below.

    Definition: some target lies outside [low, high] of the output. The floor is the mean squared distance to it.
    Source: the definition. Known false positives: none of the fact; that it is why the target was missed is checked
    where the floor is not above it, by whoever fixes it next.
    """
    case, Y = evidence.case, evidence.case.recipe.sets["train"].Y
    low, high = case.recipe.head.output.low, case.recipe.head.output.high
    outer = (low > Y) | (high < Y)
    if not outer.any():
        return INNOCENT
    least = probes.floor(Y, low, high) * (0.5 if case.loss == "half_squared_error" else 1.0)
    outside = sorted({float(value) for value in Y[outer]})
    share = float(outer.any(axis=1).mean())
    classes = case.classes > 0
    mend: Overrides = ("architecture.output=auto", "architecture.loss=auto")
    if case.recipe.fault.sets:
        mend = RIGHT
    lines = [
        f"{case.output} gives values in ({low:g}, {high:g}); {share:.1%} of the targets are "
        + ", ".join(f"{value:g}" for value in outside[:3])
        + (", ..." if len(outside) > 3 else "")
    ]
    if case.loss.startswith("cross_entropy"):
        lines.append("cross-entropy with such targets has no minimum: the logits run away")
    else:
        lines.append(f"so the cost cannot fall below {least:.4g}, whatever the weights")
    if classes and len(case.labels) > 2:
        lines.append("one output for several classes also ranks them, and a rank is not what they differ in")
    numbers = {"floor": least, "share_outside": share, "low": low, "high": high}
    return Verdict(3.0, 1.0, len(case.recipe.widths) - 1, "A", tuple(lines), numbers, mend)


def wrong_output_derivative(evidence: Evidence) -> Verdict:
    """The derivative of the loss by the logits is not that of the cost: a sign, a factor 1 - A, a class left out.

    Definition: the gradient check fails, and claimed / measured of dJ/dZ_L, row by row at random logits, differs from
    1, and not by one constant. Source: gradient checking (Bishop 2006, 5.3.3), by rows so that the class shows.
    Known false positives: none in float64 away from saturation.
    """
    if evidence.gradient_right:
        return INNOCENT
    ratios = evidence.head_ratios
    everywhere = np.concatenate(ratios)
    constant = not len(everywhere) or np.ptp(everywhere) < 0.03 * abs(float(np.median(everywhere)))
    if ratios.right or (constant and float(np.median(everywhere)) > 0):
        return INNOCENT
    words = [_side("greater", ratios.positive), _side("smaller", ratios.negative)]
    lines = [f"dJ/dZ of the output, claimed / measured: {words[0]}; {words[1]}", *_checked(evidence)]
    numbers = {f"rho/layer_{layer}": float(value) for layer, value in enumerate(evidence.rho, 1)}
    numbers |= {"ratio_positive": _median(ratios.positive), "ratio_negative": _median(ratios.negative)}
    last = len(evidence.case.recipe.widths) - 1
    return Verdict(3.0, 1.0, last, "dZ", tuple(lines), numbers, _mend(evidence))


def wrong_activation_derivative(evidence: Evidence) -> Verdict:
    """The derivative of the hidden activation is not that of the activation.

    Definition: the gradient check fails, and |claimed - measured| f'(z) is above the tolerance for some z in [-4, 4],
    away from 0. Source: as above. Known false positives: none; at a kink (ReLU at exactly 0) any value between the two
    slopes is right, and is not looked at.
    """
    if evidence.gradient_right:
        return INNOCENT
    error, where = evidence.activation_error
    if error < probes.TOLERANCE:
        return INNOCENT
    lines = (f"f'({where:.3g}) of {evidence.case.activation} is off by {error:.3g}", *_checked(evidence))
    layer = len(evidence.case.recipe.widths) - 2
    return Verdict(3.0, 1.0, layer, "dZ", lines, {"error": error, "z": where}, _mend(evidence))


def wrong_mean(evidence: Evidence) -> Verdict:
    """The gradient is a sum over the rows where the cost is a mean, or the mean is taken twice: n times off.

    Definition: the gradient is n times the slope of the cost, or 1/n of it, n the rows. Source: the rho test. Known
    false positives: n = 1.
    """
    mistake = evidence.check.mistake
    if mistake is None or mistake.kind not in ("missing mean", "doubled mean"):
        return INNOCENT
    n = len(evidence.case.recipe.sets["train"].X)
    rho = float(np.median(evidence.rho))
    layer = mistake.layer or len(evidence.case.recipe.widths) - 1
    return Verdict(3.0, 1.0, layer, "dW", _checked(evidence), {"rho": rho, "rows": n}, _mend(evidence))


def wrong_backpropagation(evidence: Evidence) -> Verdict:
    """A layer's gradient is not the slope of the cost, and output and activation derivatives are right.

    Definition: the gradient check fails: transposed weights, a frozen layer, biases left out, a sign. Source: the rho
    test and central differences (runner.diagnosis.gradient.measure). Known false positives: a constant positive factor
    of all layers, which is the learning rate under another name and is left to the causes about that.
    """
    mistake = evidence.check.mistake
    if evidence.gradient_right or mistake is None or mistake.kind in (*UPDATES, "wrong cost"):
        return INNOCENT
    numbers = {f"rho/layer_{number}": float(value) for number, value in enumerate(evidence.rho, 1)}
    return Verdict(3.0, 1.0, mistake.layer, "dW", _checked(evidence), numbers, _mend(evidence))


def wrong_update(evidence: Evidence) -> Verdict:
    """The gradient is right, and the step that is made of it is not: uphill, without the biases, summed up.

    Definition: two steps on the same gradient are not those of the optimizer that was configured. Source: the check
    of the update (runner.diagnosis.gradient.check). Known false positives: none.
    """
    mistake = evidence.check.mistake
    if mistake is None or mistake.kind not in UPDATES:
        return INNOCENT
    return Verdict(3.0, 1.0, mistake.layer, "W", (mistake.sentence,), mistake.evidence, _mend(evidence))


def symmetric_units(evidence: Evidence) -> Verdict:
    """Units of a layer begin the same, get the same gradients, and stay the same: the layer is one unit wide.

    Definition: two units' incoming weights, bias and outgoing weights are equal within 1e-9 at step 0 and at the last
    finite step. Source: Rumelhart, Hinton & Williams (1986). Known false positives: dead units that were drawn
    equal; a problem that one unit solves is latent, and a run that reaches its target is not looked at.
    """
    layer = probes.twins(evidence.case.recipe, evidence.theta0)
    if layer is None or probes.twins(evidence.case.recipe, evidence.last[1]) is None:
        return INNOCENT
    units = f"the {evidence.case.hidden[layer - 1]} units" if evidence.case.known else "the units"
    lines = (f"{units} of layer {layer} have equal weights at step 0 and at step {evidence.last[0]}",)
    return Verdict(3.0, 2.0, layer, "W", lines, {"layer": float(layer)}, fresh_init(evidence))


def saturated_loss(evidence: Evidence) -> Verdict:
    """The loss is computed from the probabilities, and one of them was rounded to exactly 0 or 1: log(0), or 1/(1-A).

    Definition: the first non-finite value is the cost, or the first bad gradient dZ of the last layer, while the
    weights are numbers, and cross-entropy is written with the output's value. Source: float64 rounds sigmoid(z) to
    1 above z = 36.74. Known false positives: it says where the numbers broke; why the logits grew is another cause.
    """
    case, bad = evidence.case, evidence.course.nonfinite
    if bad is None or case.loss != "cross_entropy_from_probabilities" or bad.array in ("W", "b", "Z"):
        return INNOCENT
    last = len(case.recipe.widths) - 1
    array = bad.first_bad_gradient or bad.array
    lines = (
        f"at step {bad.step} {bad.array} of layer {bad.layer} is the first value that is no number; the weights are "
        f"numbers, and the largest |Z| of the output is {evidence.signal.largest:.4g} a step before "
        "(above 36.74 sigmoid is exactly 1)",
        f"the first bad gradient is {array}: 1/(1 - A) divides by 0",
    )
    numbers = {"largest_z": evidence.signal.largest}
    return Verdict(3.0, 0.0, last, array, lines, numbers, FROM_LOGITS, True)


def biased_by_epsilon(evidence: Evidence) -> Verdict:
    """An epsilon in the logarithms of the loss hides log(0), and takes the gradient from the rows that need it most.

    Definition: the gradient of a wrong row, by its epsilon, is less than .9 of what it should be, on some rows at the
    last step. dJ/dz = (a - y) shrinks by a / (a + ε). Source: the definition: .50 is left at z = -11.5 for ε = 1e-5.
    Known false positives: rows that are right and saturated have no gradient to lose, and do not count.
    """
    case = evidence.case
    if not case.epsilon:
        return INNOCENT
    worst = _epsilon_ratio(evidence)
    if worst > 0.9:
        return INNOCENT
    lines = (
        f"epsilon {case.epsilon:g} leaves {worst:.2g} of the gradient of the row that is most wrong: "
        "the loss that is minimised is another one, and a saturated mistake is not learned from",
    )
    return Verdict(3.0, 0.0, len(case.recipe.widths) - 1, "dZ", lines, {"gradient_left": worst}, FROM_LOGITS, True)


def fresh_init(evidence: Evidence) -> Overrides:
    """The initialiser that suits the activation, at its own scale, with biases of 0."""
    return fresh_init_of(evidence.case.activation) if evidence.case.known else OWN_INIT


def fresh_init_of(activation: str) -> Overrides:
    """The same, for a hidden activation by its name."""
    name = "he_normal" if activation in ("relu", "leaky_relu") else "xavier_normal"
    return (f"init={name}", "init.scale=1.0", "init.bias_scale=0.0")


def fresh_inits(evidence: Evidence) -> list[Overrides]:
    """`fresh_init`, and the one of LeCun, which is smaller than He's."""
    if evidence.case.recipe.fault.theta0:
        return [RIGHT]
    if not evidence.case.known:
        return [OWN_INIT, ("architecture.init=he_normal", "architecture.init_scale=1.0")]
    return [fresh_init(evidence), ("init=lecun_normal", "init.scale=1.0", "init.bias_scale=0.0")]


def _epsilon_ratio(evidence: Evidence) -> float:
    """The least a / (a + ε) over the run, a the probability that a row gives to its true class."""
    case, worst = evidence.case, 1.0
    rows = case.recipe.sets["train"]
    for A in (probes.outputs(evidence.replay, theta) for theta in evidence.states):
        true = np.where(rows.Y > 0.5, A, 1 - A) if A.shape[1] == 1 else (A * rows.Y).sum(axis=1)
        least = float(np.nanmin(true))
        worst = min(worst, least / (least + case.epsilon))
    return worst


def _mend(evidence: Evidence) -> Overrides:
    return RIGHT if evidence.case.fault != "none" else ()


def _checked(evidence: Evidence) -> tuple[str, ...]:
    """What the gradient check says: its sentence, and the slope along each layer's gradient."""
    mistake = evidence.check.mistake
    rho = ", ".join(f"{value:.4g} (layer {layer})" for layer, value in enumerate(evidence.rho, 1))
    sentence = (mistake.sentence,) if mistake else ()
    return (*sentence, f"slope of the cost along the claimed gradient / its size (1 is right): {rho}")


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _side(which: str, ratios: np.ndarray) -> str:
    if not len(ratios):
        return f"no rows with the {which} target"
    low, high = float(ratios.min()), float(ratios.max())
    what = f"{low:.4g}" if high - low < 1e-3 else f"{low:.3g} to {high:.3g}"
    if abs(high - 1) < probes.TOLERANCE and abs(low - 1) < probes.TOLERANCE:
        what = "right"
    elif abs(high + 1) < probes.TOLERANCE and abs(low + 1) < probes.TOLERANCE:
        what = "-1, the wrong sign"
    return f"{what} where the target is the {which}"
