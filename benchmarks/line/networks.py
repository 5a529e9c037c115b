"""The bodies, set in styles: classes with a dictionary, attributes or lists, plain functions, closures, a cache."""

import re
from collections.abc import Iterator
from itertools import product
from textwrap import indent
from typing import NamedTuple

from benchmarks.line.bodies import ACTIVATIONS, BODIES, LOSSES, Body

STYLES = ("dictionary", "attributes", "functions", "closure", "list", "cache")


class Network(NamedTuple):
    """A right network as source text, the functions in which its backward pass is, how it is made."""

    name: str
    text: str
    backward: tuple[str, ...]
    target: str  # Net, or the module itself
    inputs: int
    outputs: int
    samples: str = "rows"


def networks(every: int = 1) -> Iterator[Network]:
    """All of them, or each `every`th."""
    count = 0
    for style, (name, body) in product(STYLES, BODIES.items()):
        several = list(LOSSES)
        chosen = (several[count % len(several)], several[(count + 3) % len(several)])
        if style == "list":
            chosen = (*chosen, several[(count + 1) % len(several)])
        for loss in chosen if "ACT" in body.forward else chosen[:1]:
            activation = list(ACTIVATIONS)[(count // 2) % len(ACTIVATIONS)]
            count += 1
            if count % every == 0:
                yield written(style, name, body, loss, activation, helpers=count % 3 == 0)


def written(style: str, name: str, body: Body, loss: str, activation: str, helpers: bool) -> Network:
    k = 3 if loss.startswith("softmax") else 1 if count_is_odd(name) else 2
    text = source(style, body, loss, activation, helpers, k)
    made = "Net" if style not in ("functions", "closure") else "" if style == "functions" else "make"
    backward = ("gradients", "slope")
    return Network(f"{name}-{style}-{loss}-{activation}", text, backward, made, body.inputs, k)


def count_is_odd(name: str) -> bool:
    return len(name) % 2 == 1


def source(style: str, body: Body, loss: str, activation: str, helpers: bool, k: int) -> str:
    forward, backward = body.forward, body.backward
    value, slope = ACTIVATIONS[activation]
    helping = ""
    if helpers and "ACT(" in forward:
        arg = "Z" if "{Z}" in slope else "A"
        made, derived = value.format(Z="Z", A="A"), slope.format(Z="Z", A="A")
        helping = f"def act(Z):\n    return {made}\n\n\ndef slope({arg}):\n    return {derived}\n\n\n"
        forward = re.sub(r"ACT\((\w+), (\w+)\)", r"act(\1)", forward)
        backward = re.sub(r"SLOPE\((\w+), (\w+)\)", rf"slope(\{1 if arg == 'Z' else 2})", backward)
    else:
        forward = re.sub(r"ACT\((\w+), (\w+)\)", lambda m: value.format(Z=m[1], A=m[2]), forward)
        backward = re.sub(r"SLOPE\((\w+), (\w+)\)", lambda m: slope.format(Z=m[1], A=m[2]), backward)
    out, cost, dloss = LOSSES[loss]
    forward = f"{forward}\n{out}"
    cost = f"{cost}\n{body.extra}" if body.extra else cost
    names = list(dict.fromkeys(re.findall(r"^\s*([A-Za-z_]\w*) (?:\+)?=", forward, re.M)))
    names += [each for line in re.findall(r"^\s*(\w+(?:, \w+)+) =", forward, re.M) for each in line.split(", ")]
    inside = set(re.findall(r"for (\w+) in", forward))
    names = [each for each in names if each not in inside and each not in ("patch", "x", "f", "i", "o", "g", "before")]
    shapes = {p: s.replace("d", str(body.inputs)).replace("k", str(k)) for p, s in body.shapes.items()}
    return "import numpy as np\n\n\n" + helping + WRITERS[style](shapes, forward, cost, f"{dloss}\n{backward}", names)


def _parameters(text: str, spelled: str) -> str:
    return re.sub(r"P\.(\w+)", lambda m: spelled.format(m[1]), text)


def _made(shapes: dict[str, str], spelled: str) -> str:
    def drawn(shape: str) -> str:
        return f"np.random.randn({shape}) * 0.5"

    return "\n".join(f"{spelled.format(name)} = {drawn(shape)}" for name, shape in shapes.items())


def _dictionary(shapes: dict[str, str], forward: str, cost: str, backward: str, names: list[str]) -> str:
    spelled = 'self.parameters["{}"]'
    kept = ", ".join(names)
    grads = ", ".join(f'"{name}": d{name}' for name in shapes)
    return (
        "class Net:\n    def __init__(self):\n        self.parameters = {}\n"
        + indent(_made(shapes, spelled), "        ")
        + "\n\n    def forward(self, X):\n"
        + indent(_parameters(forward, spelled), "        ")
        + f"\n        return {kept}\n\n    def predict(self, X):\n"
        + f"        return self.forward(X)[{names.index('out')}]\n"
        + f"\n    def cost(self, X, Y):\n        {kept} = self.forward(X)\n"
        + indent(_parameters(cost, spelled), "        ")
        + f"\n        return J\n\n    def gradients(self, X, Y):\n        {kept} = self.forward(X)\n"
        + indent(_parameters(backward, spelled), "        ")
        + f"\n        return {{{grads}}}\n"
    )


def _attributes(shapes: dict[str, str], forward: str, cost: str, backward: str, names: list[str]) -> str:
    spelled = "self.{}"
    own = [each for each in names if len(each) > 1 or each in "Z"]
    forward, cost, backward = (_parameters(text, "self.p_{}") for text in (forward, cost, backward))
    for name in sorted(own, key=len, reverse=True):
        forward, cost, backward = (
            re.sub(rf"(?<![\w.]){name}(?!\w)", f"self.{name}", t) for t in (forward, cost, backward)
        )
    forward, cost, backward = (text.replace("self.p_", "self.") for text in (forward, cost, backward))
    rest = [each for each in names if each not in own]
    kept = f"\n        self.rest = {', '.join(rest)}," if rest else ""
    taken = f"\n        {', '.join(rest)}, = self.rest" if rest else ""
    clash = set(own) & set(shapes)
    assert not clash, clash
    listed = ", ".join(f'"{name}": self.{name}' for name in shapes)
    grads = ", ".join(f'"{name}": d{name}' for name in shapes)
    return (
        "class Net:\n    def __init__(self):\n"
        + indent(_made(shapes, spelled), "        ")
        + f"\n\n    @property\n    def parameters(self):\n        return {{{listed}}}\n\n    def forward(self, X):\n"
        + indent(forward, "        ")
        + kept
        + "\n        return self.out\n\n    def predict(self, X):\n        return self.forward(X)\n"
        + f"\n    def cost(self, X, Y):\n        self.forward(X){taken}\n"
        + indent(cost.replace("self.J", "J"), "        ")
        + f"\n        return J\n\n    def gradients(self, X, Y):\n        self.forward(X){taken}\n"
        + indent(backward, "        ")
        + f"\n        return {{{grads}}}\n"
    )


def _functions(shapes: dict[str, str], forward: str, cost: str, backward: str, names: list[str]) -> str:
    spelled = 'p["{}"]'
    kept = ", ".join(names)
    grads = "\n".join(f'        "{name}": d{name},' for name in shapes)
    return (
        "def init():\n    p = {}\n"
        + indent(_made(shapes, spelled), "    ")
        + "\n    return p\n\n\ndef forward(p, X):\n"
        + indent(_parameters(forward, spelled), "    ")
        + f"\n    return {kept}\n\n\ndef predict(p, X):\n    return forward(p, X)[{names.index('out')}]\n"
        + f"\n\ndef cost(p, X, Y):\n    {kept} = forward(p, X)\n"
        + indent(_parameters(cost, spelled), "    ")
        + f"\n    return J\n\n\ndef gradients(p, X, Y):\n    {kept} = forward(p, X)\n"
        + indent(_parameters(backward, spelled), "    ")
        + f"\n    return {{\n{grads}\n    }}\n"
    )


def _closure(shapes: dict[str, str], forward: str, cost: str, backward: str, names: list[str]) -> str:
    kept = ", ".join(names)
    text = (
        _made(shapes, "w{}")
        + f"\nparameters = {{{', '.join(f'{name!r}: w{name}' for name in shapes)}}}"
        + "\n\ndef forward(X):\n"
        + indent(_parameters(forward, "w{}"), "    ")
        + f"\n    return {kept}\n\ndef predict(X):\n    return forward(X)[{names.index('out')}]\n"
        + f"\ndef cost(X, Y):\n    {kept} = forward(X)\n"
        + indent(_parameters(cost, "w{}"), "    ")
        + f"\n    return J\n\ndef gradients(X, Y):\n    {kept} = forward(X)\n"
        + indent(_parameters(backward, "w{}"), "    ")
        + f"\n    return {{{', '.join(f'{name!r}: d{name}' for name in shapes)}}}\n\n"
        + "return {'parameters': parameters, 'cost': cost, 'gradients': gradients, 'predict': predict}"
    )
    return "def make():\n" + indent(text, "    ") + "\n"


def _list(shapes: dict[str, str], forward: str, cost: str, backward: str, names: list[str]) -> str:
    unpacked = ", ".join(f"p{name}" for name in shapes) + " = self.parameters"
    kept = ", ".join(names)
    return (
        "class Net:\n    def __init__(self):\n"
        + indent(_made(shapes, "p{}"), "        ")
        + f"\n        self.parameters = [{', '.join(f'p{name}' for name in shapes)}]\n\n"
        + f"    def forward(self, X):\n        {unpacked}\n"
        + indent(_parameters(forward, "p{}"), "        ")
        + f"\n        return {kept}\n\n    def predict(self, X):\n"
        + f"        return self.forward(X)[{names.index('out')}]\n"
        + f"\n    def cost(self, X, Y):\n        {unpacked}\n        {kept} = self.forward(X)\n"
        + indent(_parameters(cost, "p{}"), "        ")
        + f"\n        return J\n\n    def gradients(self, X, Y):\n        {unpacked}\n"
        + f"        {kept} = self.forward(X)\n"
        + indent(_parameters(backward, "p{}"), "        ")
        + f"\n        return [{', '.join(f'd{name}' for name in shapes)}]\n"
    )


def _cache(shapes: dict[str, str], forward: str, cost: str, backward: str, names: list[str]) -> str:
    """Values in a dictionary of the object, gradients summed into one that is kept."""
    spelled = 'self.parameters["{}"]'

    def cached(text: str) -> str:
        text = _parameters(text, "self.p_{}")
        for name in sorted(names, key=len, reverse=True):
            text = re.sub(rf"(?<![\w.]){name}(?!\w)", f'c["{name}"]', text)
        return re.sub(r"self\.p_(\w+)", r'self.parameters["\1"]', text)

    simple = all(len(line.split(" = ")[0].split(",")) == 1 for line in forward.splitlines() if " = " in line)
    if not simple or re.search(r"for .* in", forward):
        return _dictionary(shapes, forward, cost, backward, names)
    return (
        "class Net:\n    def __init__(self):\n        self.parameters = {}\n"
        + indent(_made(shapes, spelled), "        ")
        + "\n\n    def forward(self, X):\n        c = self.c = {}\n"
        + indent(cached(forward), "        ")
        + '\n        return c["out"]\n\n    def predict(self, X):\n        return self.forward(X)\n'
        + "\n    def cost(self, X, Y):\n        self.forward(X)\n        c = self.c\n"
        + indent(cached(cost), "        ")
        + "\n        return J\n\n    def gradients(self, X, Y):\n        self.forward(X)\n        c = self.c\n"
        + "        g = {}\n"
        + indent(
            re.sub(rf"(?<!\w)d({'|'.join(sorted(shapes, key=len, reverse=True))})(?!\w)", r'g["\1"]', cached(backward)),
            "        ",
        )
        + "\n        return g\n"
    )


WRITERS = {
    "dictionary": _dictionary, "attributes": _attributes, "functions": _functions, "closure": _closure, "list": _list,
    "cache": _cache,
}  # fmt: skip
