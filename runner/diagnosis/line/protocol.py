"""A user's network, traced: its cost and its gradients on one tape, at given parameters and data. NumPy only."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from runner.diagnosis.line.memory import owner
from runner.diagnosis.line.places import is_theirs
from runner.diagnosis.line.tape import Node, Tape
from runner.diagnosis.line.trace import Traced, recording
from runner.diagnosis.line.within import generators, held
from runner.nn.types import Array
from runner.training.own.module import still
from runner.training.own.network import NetworkProblem, OwnNetwork, matched


class Run(NamedTuple):
    """What was traced: the cost, the parameters' leaves and the gradients by name, in the order of θ."""

    tape: Tape
    cost: Any
    parameters: dict[str, Any]
    gradients: dict[str, Any]


class Point(NamedTuple):
    """Where a network is looked at: parameters θ (P,), data, and the seed of its noise."""

    theta: Array
    X: np.ndarray
    Y: np.ndarray
    seed: int = 0


def traced(fresh: Callable[[], OwnNetwork], at: Point, data_too: bool = True) -> Run:
    """Cost and gradients of a network made for it, followed. `data_too`: X and Y are leaves, too.

    Raises NetworkProblem and NetworkError as the network does.
    """
    network = fresh()
    network.write(at.theta)
    roots = [each for each in network.functions if each is not None]
    back = generators(*roots)
    spaces = _namespaces(network)
    with recording(spaces) as tape, np.errstate(all="ignore"):
        leaves = network.leaves()
        watched = {id(leaf.array): tape.watch(leaf.array, leaf.name) for leaf in leaves}
        names = [leaf.name for leaf in leaves]
        parameters: dict[str, Any] = {leaf.name: tape.node_of(watched[id(leaf.array)]) for leaf in leaves}
        for value, put in held(*roots):
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not isinstance(value, Traced):
                known = watched.get(id(value))
                put(known if known is not None else tape.classed(value, isinstance(value, np.matrix)))
        X, Y = (_given(tape, each, name, data_too) for each, name in ((at.X, "X"), (at.Y, "Y")))
        still(at.seed)
        cost = network._call("cost", X, Y)
        back()
        still(at.seed)
        answer = network._call("gradients", X, Y)
        parts, problems = matched(answer, network.leaves())
        if problems:
            raise NetworkProblem(*(f"{network.label}: {problem}" for problem in problems))
        gradients = {name: _settled(tape, part.array) for name, part in zip(names, parts, strict=False)}
    return Run(tape, cost, parameters, gradients)


def answered(fresh: Callable[[], OwnNetwork], at: Point) -> tuple[Tape, Any]:
    """What predict(X) of a network made for it answers, followed."""
    network = fresh()
    network.write(at.theta)
    with recording(_namespaces(network)) as tape, np.errstate(all="ignore"):
        for value, put in held(*[each for each in network.functions if each is not None]):
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                put(tape.classed(value, isinstance(value, np.matrix)))
        still(at.seed)
        return tape, network._call("predict", _given(tape, at.X, "X", True))


def _given(tape: Tape, array: np.ndarray, name: str, watched: bool) -> Any:
    if array.dtype.kind != "f":
        return array
    if not array.flags.writeable:  # of the user's code: it is ours
        tape.constant.add(id(owner(array)))
    return tape.watch(array, name) if watched else tape.classed(array, False)


def _settled(tape: Tape, array: Any) -> Node | Any:
    """The node of a gradient, or its value where it has none."""
    node = tape.node_of(array)
    return node if node is not None else np.array(array)


def _namespaces(network: OwnNetwork) -> list[dict[str, Any]]:
    """The modules of the user's whose names may be NumPy's."""
    found: dict[int, dict[str, Any]] = {}
    for place in held_functions(network):
        found[id(place.__globals__)] = place.__globals__
    return list(found.values())


def held_functions(network: OwnNetwork) -> list[Any]:
    """The user's functions that a network can reach, at hand or from one of its modules."""
    found: list[Any] = []
    seen: set[int] = set()
    left: list[Any] = [each for each in network.functions if each is not None]
    while left:
        thing = left.pop()
        function = getattr(thing, "__func__", thing)
        if not hasattr(function, "__code__") or id(function) in seen:
            continue
        seen.add(id(function))
        if is_theirs(function.__code__.co_filename):
            found.append(function)
            continue
        left += [cell.cell_contents for cell in function.__closure__ or () if callable(cell.cell_contents)]
        for cell in function.__closure__ or ():
            if isinstance(cell.cell_contents, dict):
                left += [each for each in cell.cell_contents.values() if callable(each)]
    return found
