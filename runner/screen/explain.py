"""What people read about a script: what was understood, with lines; what is wrong; the patch."""

import sys

from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax

from runner.diagnosis.script.report import Report
from runner.diagnosis.script.sentences import mistake_of


def show(report: Report) -> None:
    """The whole report."""
    out = Console(soft_wrap=not sys.stdout.isatty(), highlight=False, emoji=False)
    out.print(f"[bold]{escape(report.path.name)}[/]")
    _understood(report, out)
    _checked(report, out)
    _run(report, out)
    _findings(report, out)
    if report.not_tried:
        out.print(f"not tried in {report.seconds:.0f} s: {', '.join(report.not_tried)}")
    if not report.wrong:
        reached = report.run is not None and report.run.reached
        out.print("[green]nothing wrong was found[/]" if reached else "no mistake was found in its gradients")


def _understood(report: Report, out: Console) -> None:
    """One line each, so that a wrong guess can be seen and corrected."""
    found, source = report.understood, report.source
    assert found is not None
    assert source is not None
    names = ", ".join(f"{each.name} {'x'.join(map(str, each.shape)) or 'number'}" for each in found.parameters)
    out.print(f"  loop        {source.where(found.loop.line)}: {escape(found.loop.text)}")
    if found.step.key != found.loop.key:
        out.print(f"  step        {source.where(found.step.line)}: {escape(found.step.text)}")
    out.print(f"  parameters  {escape(names)}")
    updates = sorted({each.line for each in found.parameters if each.line})
    out.print(f"  updates     {', '.join(source.where(each) for each in updates)}")
    if found.state:
        out.print(f"  carried     {escape(', '.join(found.state[:8]))}")
    if found.cost is not None:
        of = f", the {found.match.loss}" if found.match is not None else ""
        out.print(f"  cost        {source.where(found.cost.line)}: {escape(found.cost.name)}{of}")
    else:
        out.print("  cost        none is computed in the loop")
    for what, data in (("inputs", found.inputs), ("labels", found.labels)):
        if data is not None:
            out.print(f"  {what:10}  {escape(data.name)} {'x'.join(map(str, data.shape))}")
    rates = {round(each, 12) for each in report.checked.seen.get("rates", {}).values()}
    if rates:
        out.print(f"  rate        {', '.join(f'{abs(each):g}' for each in sorted(rates))}")
    out.print("  [dim]wrong? --loop LINE --cost NAME --parameters A,B set it right[/]")


def _checked(report: Report, out: Console) -> None:
    seen, source = report.checked.seen, report.source
    assert source is not None
    mistake = mistake_of(report)
    if mistake is not None:
        out.print(f"[red]{escape(mistake['file'])}:{mistake['line']}:[/] {escape(mistake['text'])}")
        out.print(f"  {escape(mistake['sentence'])}")
        if mistake["correction"]:
            out.print(f"  write       {escape(mistake['correction'])}")
    elif report.checked.ok:
        which = "" if seen["cost"] in ("own", "another") else f" of the {seen['cost']} of its outputs"
        out.print(f"the update of every array follows the slope{which}: the gradients are right")
    else:
        lost = "; ".join(f"line {line} of {file}: {what}" for file, line, what in seen.get("lost", [])[:2])
        out.print(f"the gradients could not be followed{': ' + escape(lost) if lost else ''}")


def _run(report: Report, out: Console) -> None:
    run, source = report.run, report.source
    assert run is not None
    assert source is not None
    ends = {"time": "ended by us for lack of time", "raised": f"it raised {run.problem}"}
    shown = (
        f"cost {run.costs[0][1]:.6g} at step {run.costs[0][0]}, {run.last:.6g} at {run.costs[-1][0]}"
        if run.costs
        else ""
    )
    out.print(f"{run.iterations} iterations; {shown}{'; ' + escape(ends[run.status]) if run.status in ends else ''}")
    if report.bad is not None:
        bad = report.bad
        out.print(
            f"first {bad.value}: step {bad.step}, {source.where(bad.site.line)}: {escape(source.line(bad.site.line))}"
        )
    if run.score is not None:
        base = f"a constant answer gets {run.score['base']:.3f}"
        out.print(f"{run.score['kind']} {run.score['value']:.3f} on the labels as they are given; {base}")


def _findings(report: Report, out: Console) -> None:
    for each in report.findings:
        if each.cause not in ("gradient", "cure"):
            out.print(f"[yellow]{each.cause}[/]  {escape(each.sentence)}")
    cure = report.cure
    if cure is not None:
        out.print(f"[bold]this patch reaches {cure.target} on {cure.reached} of {cure.of} seeds[/]")
        out.print(Syntax(cure.diff, "diff", background_color="default"))
