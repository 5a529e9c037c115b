"""What a wrong gradient is wrong by: the kind of mistake, and the layer where it is made.

Backpropagation goes from the last layer to the first, so the highest layer that is wrong is where the mistake is made;
what is wrong below it follows. That layer's gradient, a (analytic), is compared with the slopes measured, m (numeric):

    a = c m        c = -1 a sign, n a sum for a mean, 1/n a mean taken twice, 0 frozen, any other c a factor
    a = mᵀ         a transposed product
    a = m + λ θ    L2 in the gradient and not in the cost (λ < 0: in the cost and not in the gradient)

This needs no knowledge of the network. Where its structure is known, each mistake of runner.diagnosis.gradient.mistakes
is a hypothesis besides: what the layer's gradient would be with this mistake and no other. NumPy only.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from runner.diagnosis.gradient.measure import Check, Costs, LayerCheck, Mistake, PartCheck, slopes
from runner.diagnosis.line.costs import UNSTEADY
from runner.nn.types import Array, Part

FITS = 1e-4  # the relative distance up to which a measured gradient is said to be that of a mistake
RIGHT = "right"  # the kind of the hypothesis that nothing is wrong


class Hypothesis(NamedTuple):
    """A `kind` of mistake, as a sentence, and the gradient of each of a layer's parts by name if it were made."""

    kind: str
    sentence: str
    gradient: Mapping[str, Array]


Hypotheses = Callable[[Array, int], Iterable[Hypothesis]]


def named(
    found: Check, costs: Costs, theta: Array, parts: Sequence[Part], rows: int, hypotheses: Hypotheses | None = None
) -> Check:
    """`found` with its mistake named, where it failed.

    `costs`, `theta`, `parts` are what was checked; `rows` n, those that the mean is over. `hypotheses`(θ, layer) gives
    the mistakes that the network's structure allows.
    """
    if found.ok:
        return found
    return found._replace(mistake=_mistake(found, costs, theta, parts, rows, hypotheses))


def _mistake(
    found: Check, costs: Costs, theta: Array, parts: Sequence[Part], rows: int, hypotheses: Hypotheses | None
) -> Mistake:
    g = found.gradient
    if not np.isfinite(g).all():
        layer = max(part.layer for part in parts if not np.isfinite(g[part.start : part.stop]).all())
        return Mistake("not finite", layer, f"The gradient of layer {layer} has inf or NaN in it.", {})
    unsteady = _unsteady(found)
    if unsteady:
        return unsteady
    top = max((each for each in found.layers if not each.ok), key=lambda each: each.layer)
    wrong = [part for part in top.parts if not part.ok] or list(top.parts)
    return (
        _summed_bias(found, costs, theta)
        or _multiple(top, wrong, rows)
        or _supposed(found, theta, top, hypotheses)
        or _factor(top, wrong)
        or _bias(top, theta, wrong)
        or _weights(found, costs, theta, top, wrong, parts)
        or _unnamed(found, top, wrong)
    )


def _unsteady(found: Check) -> Mistake | None:
    """Two calls at the same θ that differ."""
    g, again = found.gradient, found.again
    if np.allclose(g, again, rtol=1e-9, atol=1e-300):
        return None
    changed = np.zeros(len(g), dtype=bool)  # whole arrays: a sum may be kept of the weights' alone
    for part in (each.part for layer in found.layers for each in layer.parts):
        span = slice(part.start, part.stop)
        changed[span] = not np.allclose(g[span], again[span], rtol=1e-9, atol=1e-300)
    ratio, distance = _ratio(again[changed], g[changed])
    evidence = {"second call / first call": ratio}
    if distance < FITS and ratio > 1:
        says = f"A second call at the same parameters gives {ratio:.4g} times the gradient: it is added to what was."
        return Mistake("accumulated", None, says, evidence)
    more = again - g
    if found.layers and all(layer.ok for layer in found.layers) and _ratio(more, g)[1] < FITS:
        return Mistake("accumulated", None, "A second call adds the gradient to that of the first.", evidence)
    return Mistake(UNSTEADY, None, "Two calls at the same parameters give two gradients: something is random.", {})


def _multiple(top: LayerCheck, wrong: Sequence[PartCheck], rows: int) -> Mistake | None:
    """a = c m, with one telling c for all parts of the layer that are wrong."""
    ratio, distance = _ratio(_joined(wrong, "analytic"), _joined(wrong, "numeric"))
    if distance > FITS:
        return None
    where = _where(top, wrong)
    evidence = {"c": ratio, f"rho of layer {top.layer}": top.rho, "rows": float(rows)}
    only_bias = all(part.part.kind == "b" for part in wrong)
    if abs(ratio) < FITS:
        kind = "frozen bias" if only_bias else "frozen"
        return Mistake(kind, top.layer, f"The gradient {where} is 0, and the cost depends on it.", evidence)
    if _near(ratio, -1):
        return Mistake("sign", top.layer, f"The gradient {where} is the negative of the slope: a sign.", evidence)
    for power, kind, says in (
        (1, "missing mean", f"{rows} times the slope: a sum over the {rows} rows in place of the mean"),
        (-1, "doubled mean", f"1/{rows} of the slope: the mean over the {rows} rows is taken twice"),
        (2, "missing mean", f"{rows}² times the slope: multiplied by the {rows} rows twice over"),
    ):
        for sign in (1, -1):
            if rows > 1 and _near(ratio, sign * float(rows) ** power):
                turned = "" if sign > 0 else ", and its sign is wrong"
                return Mistake(kind, top.layer, f"The gradient {where} is {says}{turned}.", evidence)
    return None


def _factor(top: LayerCheck, wrong: Sequence[PartCheck]) -> Mistake | None:
    """a = c m, with a c that says nothing by itself."""
    ratio, distance = _ratio(_joined(wrong, "analytic"), _joined(wrong, "numeric"))
    if distance > FITS:
        return None
    says = f"The gradient {_where(top, wrong)} is {ratio:.6g} times the slope: a factor."
    return Mistake("factor", top.layer, says, {"c": ratio})


def _supposed(found: Check, theta: Array, top: LayerCheck, hypotheses: Hypotheses | None) -> Mistake | None:
    """The hypothesis nearest to the gradient as given, if it is that gradient."""
    if hypotheses is None:
        return None
    best: tuple[float, Hypothesis] | None = None
    own = [part.part for part in top.parts]
    for hypothesis in hypotheses(theta, top.layer):
        a = np.concatenate([found.gradient[part.start : part.stop] for part in own])
        b = np.concatenate([np.ravel(hypothesis.gradient[part.name]) for part in own])
        distance = float(np.linalg.norm(a - b) / max(np.linalg.norm(a), np.linalg.norm(b), np.finfo(float).tiny))
        if np.isfinite(distance) and hypothesis.kind != RIGHT and (best is None or distance < best[0] * (1 - 1e-3)):
            best = distance, hypothesis
    if best is None or best[0] > FITS:
        return None
    evidence = {"distance to this mistake": best[0], f"rho of layer {top.layer}": top.rho}
    return Mistake(best[1].kind, top.layer, best[1].sentence, evidence)


def _summed_bias(found: Check, costs: Costs, theta: Array) -> Mistake | None:
    """Biases only are wrong, and those of some layer are one number, the sum or the mean over the layer's units.

    It need not be the highest layer: with softmax the sum over its units is 0 whatever the network.
    """
    wrong = [each for layer in found.layers for each in layer.parts if not each.ok]
    if any(each.part.kind != "b" for each in wrong):
        return None
    base = float(costs(theta[None])[0])
    for part in (each.part for each in reversed(wrong)):
        a = found.gradient[part.start : part.stop]
        if not 1 < len(a) <= 512 or not a.any() or np.ptp(a) > FITS * np.abs(a).max():
            continue
        m, _ = slopes(costs, theta, np.arange(part.start, part.stop), base, 1e-4)
        for value, name in ((m.sum(), "sum"), (m.mean(), "mean")):
            if abs(a[0] - value) <= 10 * FITS * abs(value):
                top = max(each.part.layer for each in wrong)
                says = (
                    f"The gradient of the bias of layer {part.layer} is the {name} over its units, one number for all"
                )
                says += "." if part.layer == top else f"; that of layer {top} is wrong too."
                return Mistake("wrong bias", top, says, {f"the {name}": float(a[0])})
    return None


def _bias(top: LayerCheck, theta: Array, wrong: Sequence[PartCheck]) -> Mistake | None:
    """Only the bias is wrong."""
    if any(each.part.kind != "b" for each in wrong):
        return None
    [bias, *_] = wrong
    weight, distance = _ratio(bias.analytic - bias.numeric, theta[bias.positions])
    if distance < FITS:
        says = f"L2 of {weight:.4g} is in the gradient of the bias of layer {top.layer}, and not in the cost."
        return Mistake("l2", top.layer, says, {"l2": weight})
    says = f"The gradient of the bias of layer {top.layer} is wrong."
    return Mistake("wrong bias", top.layer, says, {f"rho of {bias.part.name}": bias.rho})


def _weights(
    found: Check,
    costs: Costs,
    theta: Array,
    top: LayerCheck,
    wrong: Sequence[PartCheck],
    parts: Sequence[Part],
) -> Mistake | None:
    """W is wrong, by something else than a factor: transposed, another layer's, or by λ W."""
    for each in wrong:
        part, m = each.part, each.numeric
        if part.kind != "W" or not len(m):
            continue
        weight, distance = _ratio(each.analytic - m, theta[each.positions])
        if distance < FITS and np.linalg.norm(theta[each.positions]) > 0:
            says = f"L2 of {weight:.4g} is in the gradient of layer {top.layer}, and not in the cost."
            if weight < 0:
                says = f"L2 of {-weight:.4g} is in the cost, and not in the gradient of layer {top.layer}."
            return Mistake("l2", top.layer, says, {"l2": weight})
        a = found.gradient[part.start : part.stop]
        if len(part.shape) == 2 and min(part.shape) > 1:
            turned = a.reshape(part.shape[::-1]).T.ravel()[each.positions - part.start]
            if _distance(turned, m) < FITS:
                says = f"The gradient of W of layer {top.layer} is transposed."
                return Mistake("transposed", top.layer, says, {"distance to the transpose": _distance(turned, m)})
        for other in parts:
            if other.kind == "W" and other.layer != part.layer and other.shape == part.shape:
                base = float(costs(theta[None])[0])
                theirs, _ = slopes(costs, theta, each.positions - part.start + other.start, base, 1e-4)
                if _distance(each.analytic, theirs) < FITS:
                    says = f"The gradient given for layer {top.layer} is that of layer {other.layer}."
                    return Mistake("off by one layer", top.layer, says, {"layer": float(other.layer)})
    return None


def _unnamed(found: Check, top: LayerCheck, wrong: Sequence[PartCheck]) -> Mistake:
    """No known mistake fits: where it is made is known all the same."""
    last = max(each.layer for each in found.layers)
    evidence = {f"rho of layer {each.layer}": each.rho for each in found.layers}
    if all(each.part.kind == "W" for each in wrong) and len(top.parts) > 1:
        says = f"The product that gives dW of layer {top.layer} is wrong; what comes down to the layer is right."
        return Mistake("wrong product", top.layer, says, evidence)
    if top.layer == last:
        says = "The derivative of the cost by the last layer is wrong: that of the loss, or of the output function."
        return Mistake("wrong output derivative", top.layer, says, evidence)
    says = (
        f"Right down to layer {top.layer + 1}, wrong from layer {top.layer} on: the derivative of its activation, "
        "or the product with the weights above it."
    )
    return Mistake("wrong activation derivative", top.layer, says, evidence)


def _ratio(a: Array, b: Array) -> tuple[float, float]:
    """c of the a = c b that fits best, and how far off that is, as a share of the larger of |a| and |b|."""
    norm = float(b @ b)
    if norm == 0 or not len(b):
        return float("nan"), float("inf")
    c = float(a @ b) / norm
    size = float(np.linalg.norm(a)) or float(np.sqrt(norm))
    return c, float(np.linalg.norm(a - c * b)) / size


def _distance(a: Array, b: Array) -> float:
    size = max(float(np.linalg.norm(a)), float(np.linalg.norm(b)))
    return float(np.linalg.norm(a - b)) / size if size > 0 else float("inf")


def _near(value: float, wanted: float) -> bool:
    return abs(value / wanted - 1) <= 1e-3


def _joined(wrong: Sequence[PartCheck], which: str) -> Array:
    return np.concatenate([getattr(each, which) for each in wrong])


def _where(top: LayerCheck, wrong: Sequence[PartCheck]) -> str:
    kinds = {each.part.kind for each in wrong}
    if len(kinds) == 1 and len(top.parts) > 1:
        return f"of {'the bias' if 'b' in kinds else 'W'} of layer {top.layer}"
    return f"of layer {top.layer}"
