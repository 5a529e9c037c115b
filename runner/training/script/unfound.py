"""Why a script is not understood: what it failed by, what was looked for, and what was seen instead."""

import ast

from runner.training.script.execute import Outcome
from runner.training.script.source import Source


def why_none(source: Source, survey: Outcome, seconds: float) -> str:
    """Why no loop was found: the script's own failure, or what was looked for."""
    name = source.path.name
    if survey.status == "input":
        return f"{name} asks for input(), and explain has nobody to answer. Put the value there instead."
    if survey.status == "raised":
        return did_not(source, survey, "")
    if survey.status in ("memory", "processes", "gone"):
        return did_not(source, survey, "")
    looked = ", ".join(
        f"{source.where(survey.loops[key].line)} ({survey.loops[key].text}: "
        + (f"changes {', '.join(each['changed'][:4])})" if each["changed"] else "changes no array that lives on)")
        for key, each in list(survey.seen.get("loops", {}).items())[:4]
        if key in survey.loops
    )
    if survey.status == "time":  # what was not seen in time may be there
        far = f" Seen until then: {looked}." if looked else ""
        return f"{name} was not understood within {seconds:.0f} s.{far} Give it longer: --seconds N."
    if still := _unmoved(source, survey):
        return f"{name}: {still}"
    return (
        f"{name}: no loop that trains was found. Looked for: a loop whose iterations change "
        f"float arrays that live on, by steps that depend on them. Seen: {looked or 'no loop that ran three times'}. "
        "Say which it is: --loop LINE, --parameters W1,b1, --cost NAME."
    )


def _unmoved(source: Source, survey: Outcome) -> str | None:
    """Where loops ran that update arrays, and none of these moved: which, and that they begin at zero if they do."""
    ran = [survey.loops[key] for key, each in survey.seen.get("loops", {}).items() if not each["changed"]]
    nodes = [node for node in ast.walk(source.tree) if isinstance(node, ast.For | ast.While)]
    for node in (node for node in nodes if node.lineno in {loop.line for loop in ran}):
        steps = {name: line for each in ast.walk(node) for name, line in _updated(each)}
        if steps:
            lines = ", ".join(f"{name} (line {line})" for name, line in steps.items())
            zeros = [name for name in steps if name in _zeros(source)]
            hint = (
                f" {', '.join(zeros)} begin{'s' * (len(zeros) == 1)} at zero: where the weights of two layers do, the "
                f"gradient of both is zero. Draw them at random: {zeros[0]} = 0.5 * np.random.randn(...)."
                if zeros
                else " Print the gradients of the first iteration: are they zero, or is the rate?"
            )
            return f"the loop in {source.where(node.lineno)} updates {lines}, and none of them moved.{hint}"
    return None


def _updated(node: ast.AST) -> list[tuple[str, int]]:
    """`W -= step`, `W = W - step`, and with plus: the name and its line."""
    match node:
        case ast.AugAssign(ast.Name(id=name), ast.Sub() | ast.Add(), step):
            return [] if isinstance(step, ast.Constant) else [(name, node.lineno)]
        case ast.Assign([ast.Name(id=name)], ast.BinOp(ast.Name(id=same), ast.Sub() | ast.Add(), step)):
            return [] if name != same or isinstance(step, ast.Constant) else [(name, node.lineno)]
    return []


def _zeros(source: Source) -> set[str]:
    """Names of arrays that begin as np.zeros(...)."""
    found = set()
    for node in ast.walk(source.tree):
        match node:
            case ast.Assign(targets, ast.Call(func)) if ast.unparse(func).split(".")[-1] in ("zeros", "zeros_like"):
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def did_not(source: Source, outcome: Outcome, otherwise: str) -> str:
    name = source.path.name
    if outcome.status == "raised":
        where = ""
        if outcome.traceback:
            file, line, _ = outcome.traceback[-1]
            where = f", {source.where(line)}" if file == name else f", {file} line {line}"
            where += f": {source.line(line)}" if file == name else ""
        return f"{name} does not run{where}: {outcome.problem}"
    reasons = {
        "memory": "it took more memory than it may, and was ended",
        "processes": "it started more processes than it may, and was ended",
        "gone": "it ended its own process",
        "time": "it took more time than it may, and was ended",
        "input": "it asks for input(), and explain has nobody to answer",
    }
    return f"{name}: {reasons.get(outcome.status, otherwise)}."
