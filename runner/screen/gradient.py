"""The gradient check on the screen: its table, the mistakes with their lines, and the same as JSON."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from runner.diagnosis.gradient.measure import Check, LayerCheck, PartCheck
from runner.experiment.experiment import Experiment
from runner.runs.gradients import Checked
from runner.screen.terminal import console, say
from runner.training.kinds import kind_of


def checked(found: Checked) -> None:
    """One line before training: how the gradient check of a network went out, and what it has cost."""
    of = f"gradient of {found.network}" if found.network else "gradient"
    took = f"({1000 * found.seconds:.0f} ms; diagnosis.check_gradients=false is without)"
    say(f"{of}: {_outcome(found)} {took}")


def _outcome(found: Checked) -> str:
    check = found.check
    if check is None:
        return f"it could not be looked at: {found.why}"
    if check.mistake is None:
        return check.note or f"right in every layer, relative error {check.relative_error:.1e}"
    if check.unsteady:
        return f"it could not be looked at: {check.mistake.sentence}"
    told = check.lines[0].told[0] if check.lines else f"{check.mistake.kind}: {check.mistake.sentence}"
    return f"wrong, and the run goes on: {told.rstrip('.')}"


def remedy(experiment: Experiment) -> str:
    """What would fix it: the override, where the mistake was asked for; else where to look."""
    name = experiment.config["fault"]["name"]
    return "" if name == "none" else f"it was asked for: fault={name}; fault=none is without it"


def show(found: Check, experiment: Experiment) -> None:
    """The table of layers, the worst coordinates of those that are wrong, the mistake."""
    out, recipe = console(), experiment.recipe
    shape = "-".join(str(width) for width in recipe.widths)
    network = f"{shape}, {experiment.output}, {experiment.loss}"
    kind = kind_of(recipe)
    if not kind.known:
        network = f"{kind.title} {shape}"
    rows = len(recipe.sets["train"].X)
    fault = experiment.config["fault"]["name"]
    asked = "" if fault == "none" else f", fault {fault}"
    name = experiment.dataset.name
    say(f"{name} ({rows} rows)  {network}{asked}", bold=len(name))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title, justify in (("layer", "left"), ("rho", "right"), ("W", "right"), ("b", "right"), ("error", "right")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    table.add_column("verdict")
    for layer in found.layers:
        of = {each.part.kind: each.rho for each in layer.parts}
        verdict = "wrong" if not layer.ok else "no slope" if layer.rho != layer.rho else "right"
        error = f"{layer.relative_error:.1e}"
        names = f" ({', '.join(each.part.name for each in layer.parts)})" if not kind.known else ""
        table.add_row(f"{layer.layer}{names}", _rho(layer.rho), _rho(of.get("W")), _rho(of.get("b")), error, verdict)
    out.print(table)
    for layer in found.layers:
        if not layer.ok and layer.worst:
            say(worst(layer))
    if found.note:
        say(found.note)
    if found.mistake is None:
        if not found.note:
            say("the gradient is the slope of the cost in every layer", "green")
        return
    _lines(found)
    if not any(each.sentence == found.mistake.sentence for each in found.lines):
        say(f"{found.mistake.kind}: {found.mistake.sentence}", "bold")
    if not found.lines and found.why:
        say(f"  not the line: {found.why}")
    numbers: Mapping[str, float] = found.mistake.evidence
    if numbers:
        say("  " + ", ".join(f"{key} = {value:.6g}" for key, value in numbers.items()))
    if remedy(experiment):
        say(f"  {remedy(experiment)}")


def _lines(found: Check) -> None:
    """The mistakes as compilers say them, so that editors can jump there: file:line: kind: sentence."""
    for each in found.lines:
        first, *more = each.told
        say(first, "bold")
        for line in more:
            say(line)


def as_json(found: Check) -> dict[str, Any]:
    """What editors and graders read: `ok`, `arrays`, `mistakes` in the order to fix; null where nothing is known."""
    arrays = [
        {"name": each.part.name, "right": _right(each), "rho": None if each.rho != each.rho else each.rho}
        for layer in found.layers
        for each in layer.parts
    ]
    mistakes = [each._asdict() for each in found.lines]
    if not mistakes and found.mistake is not None:
        unknown = dict.fromkeys(("file", "line", "function", "text"))
        said = {"layer": found.mistake.layer, "array": None, "kind": found.mistake.kind}
        mistakes = [{**unknown, **said, "sentence": found.mistake.sentence, "correction": ""}]
    return {"ok": found.ok, "arrays": arrays, "mistakes": mistakes, "why_no_line": found.why, "note": found.note}


def _right(part: PartCheck) -> bool | None:
    """Whether a gradient is right; None where there is no slope that it could be."""
    return None if part.ok and part.rho != part.rho else part.ok


def worst(layer: LayerCheck) -> str:
    """The coordinate of a layer that is furthest off."""
    one = layer.worst[0]
    place = ", ".join(str(i) for i in one.place)
    return f"  worst of layer {layer.layer}: {one.part}[{place}] is {one.analytic:.6g}, measured {one.numeric:.6g}"


def _rho(value: float | None) -> str:
    return "" if value is None else "no slope" if value != value else f"{value:.6f}"
