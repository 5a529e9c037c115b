"""What is said of a wrong line: what stands there, what should, and what proves it. Nothing that was not shown."""

import linecache
from collections.abc import Mapping, Sequence

from runner.diagnosis.line.locate import DOUBTFUL, Located, Suspect
from runner.diagnosis.line.mistake import LineMistake
from runner.diagnosis.line.repair import Repair
from runner.diagnosis.line.tape import Node

KINDS = {
    "operator": "wrong operator",
    "product": "wrong product",
    "factor": "wrong factor",
    "term": "wrong term",
    "order": "wrong order",
    "sign": "sign",
    "number": "wrong number",
    "axis": "wrong axis",
    "another variable": "another variable",
    "index": "wrong index",
    "comparison": "wrong comparison",
    "function": "wrong function",
    "reduction": "wrong reduction",
    "transpose": "transposed",
    "square": "square missing",
    "root": "root missing",
    "derivative": "wrong derivative",
    "not": "wrong condition",
}


def repaired_sentence(mended: Repair, found: Located, layers: Mapping[str, int], together: int = 1) -> LineMistake:
    """A change was run, with as many others as belong `together`, and all gradients were right."""
    text = line_text(mended.file, mended.line)
    function = next(
        (each.node.function for each in found.suspects if each.node.place == (mended.file, mended.line)), ""
    )
    layer, array = _of_what(found, layers, mended.file, mended.line)
    should = f"`{mended.old}` should be `{mended.new}`" if mended.old else f"it should be `{mended.text}`"
    them = "it" if together == 1 else f"all {together} changes"
    sentence = f"{should}: with {them} every gradient is the slope of the cost."
    kind = KINDS.get(mended.kind, mended.kind)
    return LineMistake(mended.file, mended.line, function, text, layer, array, kind, sentence, mended.text)


def called_sentences(
    derivative: str, function: str, calls: Sequence[tuple[str, int]], found: Located, layers: Mapping[str, int]
) -> list[LineMistake]:
    """A derivative is right, and every one of these lines gives it the wrong value."""
    made = []
    for file, line in calls:
        layer, array = _of_what(found, layers, file, line)
        name = next((each.node.function for each in found.suspects if each.node.place == (file, line)), "")
        says = (
            f"{derivative}(x) is the derivative of {function} at x, and x must be what {function} was given; here it is"
        )
        says += " another value."
        text = line_text(file, line)
        made.append(LineMistake(file, line, name, text, layer, array, "derivative at another value", says, ""))
    return made


def forked_sentence(found: Located, layers: Mapping[str, int]) -> LineMistake | None:
    """Several lines take one right gradient, and none makes a right one of it: then it is not what they were to get."""
    if found.proof is not None:
        return None
    likely = [each for each in found.suspects if each.score <= 1 and each.takes is not None and each.source is not None]
    doubted = [each for each in found.suspects if each.score < DOUBTFUL and each.source is not None]
    takers = [each for each in doubted if likely and likely[0].source is each.source]
    if len(takers) < 2 or takers[0].takes is None or takers[0].source is None:
        return None
    source, target = takers[0].source, takers[0].takes.target
    file, line = _named_at(source, [each.node.line for each in takers])
    lines = " and ".join(str(each.node.line) for each in takers)
    says = f"What it hands on is the gradient of {described(target)}; lines {lines} take it, and none of them makes a"
    says += " right gradient of it."
    layer, array = _of_what(found, layers, file, line)
    return LineMistake(file, line, source.function, line_text(file, line), layer, array, "step missing", says, "")


def _named_at(source: Node, takers: Sequence[int]) -> tuple[str, int]:
    """Where a value got the name by which it is taken: the last line before that only names it, or that made it."""
    name, line = "", source.line
    for number in range(source.line, min(takers)):
        words = line_text(source.file, number).split(" = ")
        if number == source.line and len(words) == 2:
            name = words[0]
        elif len(words) == 2 and name and words[1] == name:
            name, line = words[0], number
    return source.file, line


def located_sentence(found: Located, layers: Mapping[str, int]) -> LineMistake | None:
    """No change was found: where it goes wrong, and what should stand there if that was proved; None where a line
    would be a guess.
    """
    suspect = _first(found)
    if suspect is None:
        return None
    node = suspect.node
    text = line_text(node.file, node.line)
    layer, array = _of_what(found, layers, node.file, node.line)
    says, kind = [], "wrong here"
    if suspect.takes is not None:
        says.append(f"it takes the right gradient of {described(suspect.takes.target)}")
    if suspect.gives is not None and suspect.gives.what == "part":
        target = suspect.gives.target
        lost = " and ".join(dict.fromkeys(described(each) for each in suspect.gives.missing))
        says.append(
            f"it gives only a part of the gradient of {described(target)}: missing is what comes through {lost}"
        )
        kind = "part missing"
    elif suspect.gives is not None and abs(suspect.gives.factor - 1) > 1e-6:
        says.append(f"it gives {suspect.gives.factor:.6g} times the gradient of {described(suspect.gives.target)}")
        kind = "factor"
    else:
        says.append("what it gives is the gradient of nothing that the cost is made of")
    if found.proof is not None and found.proof.node is node:
        times = "" if abs(found.proof.factor - 1) < 1e-6 else f"{found.proof.factor:.6g} times "
        says.append(f"with {times}the gradient of {described(found.proof.target)} in its place every gradient is right")
    sentence = "; ".join(says)
    return LineMistake(
        node.file, node.line, node.function, text, layer, array, kind, sentence[0].upper() + sentence[1:] + ".", ""
    )


def _first(found: Located) -> Suspect | None:
    """The place that was proved, or else the first that takes a right gradient, or a part of one, and gives none."""
    proof = found.proof
    if proof is not None:
        return next((each for each in found.suspects if each.node is proof.node), None)
    known = [each for each in found.suspects if each.takes is not None or each.gives is not None]
    return next((each for each in known if each.score < DOUBTFUL), None)


def described(node: Node) -> str:
    """A value of the forward pass in words: its name, or the line that makes it."""
    if node.name:
        return node.name
    return f"line {node.line} ({line_text(node.file, node.line)})"


def line_text(file: str, line: int) -> str:
    return linecache.getline(file, line).strip()


def _of_what(found: Located, layers: Mapping[str, int], file: str, line: int) -> tuple[int | None, str | None]:
    """The layer and the array whose gradient is wrong by this line: the last layer of those that are wrong."""
    wrong = [each.name for each in found.arrays if not each.right]
    numbered = [name for name in wrong if name in layers]
    if not numbered:
        return None, wrong[0] if len(wrong) == 1 else None
    top = max(numbered, key=lambda name: layers[name])
    return layers[top], wrong[0] if len(wrong) == 1 else None
