"""What is said of a script, in words: only what was shown."""

from typing import Any

from runner.diagnosis.script.report import Finding, Report
from runner.diagnosis.script.settings import out_of_range


def mistake_of(report: Report) -> dict[str, Any] | None:
    """The mistake in the gradients, with its line."""
    place, mended = report.checked.place, report.mended
    if place is None or report.source is None:
        return None
    line = mended.line if mended is not None else place["line"]
    file = report.path.name if mended is not None else place["file"]
    text = report.source.line(line) if file == report.path.name else ""
    wrong = [each["name"] for each in report.checked.seen["arrays"] if not each["right"]]
    wrong += list(report.checked.seen["constant"])
    correction = None
    if mended is not None:
        correction = report.source.edited(mended.edits).line(line)
    return {
        "file": file,
        "line": line,
        "function": place["function"],
        "text": text,
        "layer": None,
        "array": wrong[0] if wrong else None,
        "kind": mended.kind if mended is not None else place.get("why", "gradient"),
        "sentence": _sentence(report, wrong),
        "correction": correction,
    }


def _sentence(report: Report, wrong: list[str]) -> str:
    seen, mended = report.checked.seen, report.mended
    names = _list(wrong)
    cost = report.understood.cost.name if report.understood is not None and report.understood.cost else "the cost"
    if mended is not None:
        shown = f"with it the update of every array is the slope of {cost}, run and compared"
        return f"{mended.old} should be {mended.new}: {shown}."
    if seen["constant"]:
        return f"{_list(list(seen['constant']))} is moved by numbers that do not come from {cost}."
    if seen["signs_wrong"] and len(seen["signs_wrong"]) == len(wrong):
        return f"the gradient is right, and the update of {names} goes up instead of down."
    why = seen["suspects"][0]["why"] if seen["suspects"] else ""
    if why == "factor":
        return f"from here on the gradient is off by a factor; the update of {names} is not the slope of {cost}."
    if why == "no adjoint":
        return f"here a right derivative goes in and none comes out; the update of {names} is not the slope of {cost}."
    return f"the update of {names} is not the slope of {cost}; it goes wrong here or before."


def _list(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def findings_of(report: Report) -> list[Finding]:
    """The causes in the order to fix: the line, what the cure's parts are for, what cannot be reached."""
    found: list[Finding] = []
    mistake = mistake_of(report)
    cure = report.cure
    if mistake is not None:
        found.append(Finding("gradient", mistake["line"], f"{mistake['text']}: {mistake['sentence']}"))
    if report.understood is not None and (floor := _unreachable(report)) is not None:
        found.append(floor)
    if report.edge is not None:
        found.append(Finding("learning rate", report.edge.line, report.edge.sentence))
    if cure is not None:
        for part in cure.parts:
            found.append(Finding(part.cause, part.line, part.sentence))
        if cure.reached == cure.of:
            whole = Finding(
                "cure", cure.parts[0].line if cure.parts else mistake["line"] if mistake else 0,
                f"this patch reaches {cure.target} on {cure.reached} of {cure.of} seeds.",
                cure.diff, cure.reached, cure.of,
            )  # fmt: skip
            found = [
                Finding(each.cause, each.line, each.sentence, cure.diff, cure.reached, cure.of) for each in found
            ] or [whole]
    return found


def _unreachable(report: Report) -> Finding | None:
    """Labels outside of what the outputs can be: the least cost there is."""
    understood = report.understood
    assert understood is not None
    beyond = out_of_range(understood)
    if beyond is None:
        return None
    (far, low, high), labels = beyond, understood.labels
    assert labels is not None
    line = understood.output_line
    return Finding(
        "labels", line,
        f"labels are {_numbers(labels.about['values'])}, and every output lies between {low:g} and {high:g}: "
        f"{far:g} cannot be reached.",
    )  # fmt: skip


def _numbers(values: list[float]) -> str:
    shown = [f"{each:g}" for each in values[:6]]
    return ", ".join(shown) + (", ..." if len(values) > 6 else "")
