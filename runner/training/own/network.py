"""A user's network as functions of one flat θ (P,): what training, and the gradient check, know of it. NumPy only.

    parameters          a dict, list or tuple of arrays (nested or not), or a method that returns it
    cost(X, Y)          a number
    gradients(X, Y)     of the cost, in the structure of the parameters
    predict(X)          optional: outputs or classes
    step(lr)            optional: its own update

Or functions that are given the parameters first: cost(parameters, X, Y), ..., step(parameters, gradients, lr).
"""

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from math import prod
from typing import Any, NamedTuple

import numpy as np

from runner import Refusal
from runner.nn.types import Array

Layout = tuple[tuple[str, tuple[int, ...]], ...]


class NetworkProblem(Refusal):
    """The network does not do what the protocol asks: `problems`, a sentence each."""

    def __init__(self, *problems: str):
        self.problems = problems
        super().__init__("\n".join(problems))


class NetworkError(Refusal):
    """The user's code raised: the message is its own traceback, without a frame of ours, and where it was called."""

    code = 1


class Functions(NamedTuple):
    """The protocol, with the parameters held by whoever holds them."""

    parameters: Callable[[], Any]
    cost: Callable[[Array, Array], Any]
    gradients: Callable[[Array, Array], Any]
    predict: Callable[[Array], Any] | None
    step: Callable[[float], Any] | None
    copied: Callable[[], "Functions"]  # the same with a state of their own, where that can be copied


class Leaf(NamedTuple):
    """One array of a structure: its `name` (in metrics and files), its `place` (in messages), the array."""

    name: str
    place: str
    array: Any


class OwnNetwork:
    """A user's network with its parameters as one vector; `layout` is (name, shape) of each array, in θ's order.

    `cost`, `gradient` and `predict` are of the θ that was last written; `step` makes the network's own update.
    Raises NetworkProblem where an answer is not what the protocol asks for, NetworkError where the code raises.
    """

    def __init__(self, functions: Functions, label: str, dtype: str = "float64"):
        self.functions, self.label, self.dtype = functions, label, np.dtype(dtype)
        self.layout: Layout = ()
        self.layout = tuple((leaf.name, leaf.array.shape) for leaf in self.leaves())
        self.ends = np.cumsum([prod(shape) for _, shape in self.layout])

    def leaves(self) -> list[Leaf]:
        """The arrays of the parameters as they are now; every one must be an array of floats that can be written."""
        leaves = list(walk(self._call("parameters"), "parameters"))
        problems = [] if leaves else [f"{self.label}: parameters holds no arrays."]
        for leaf in leaves:
            problems += (f"{self.label}: {problem}" for problem in _parameter_problems(leaf))
        if not problems and self.layout:
            problems += self._changes(tuple((leaf.name, leaf.array.shape) for leaf in leaves))
        if problems:
            raise NetworkProblem(*problems)
        return leaves

    def copied(self) -> "OwnNetwork":
        """The network with a state of its own; where it cannot be copied (a module, an open file), itself."""
        try:
            return OwnNetwork(self.functions.copied(), self.label, self.dtype.name)
        except Exception:  # copying calls the user's code, or finds what nobody can copy
            return self

    def theta(self) -> Array:
        """θ (P,), a copy."""
        return np.concatenate([leaf.array.ravel() for leaf in self.leaves()]).astype(self.dtype)

    def write(self, theta: Array) -> None:
        """Put θ (P,) into the network's own arrays."""
        for leaf, part in zip(self.leaves(), self.split(theta), strict=True):
            leaf.array[...] = part

    def split(self, theta: Array) -> list[Array]:
        """θ (P,) as arrays of the parameters' shapes: views."""
        return list(arrays_of(theta, self.layout).values())

    def cost(self, X: Array, Y: Array) -> float:
        """J as the network says it."""
        value = self._call("cost", X, Y)
        array = np.asarray(value)
        if array.size != 1 or array.dtype.kind not in "fiub":
            raise NetworkProblem(
                f"{self.label}: cost(X, Y) must be a single number, the mean over the samples. Got {_what(value)}."
            )
        return float(array.reshape(()))

    def gradient(self, X: Array, Y: Array) -> Array:
        """g (P,), the network's gradients in the order of θ, a copy."""
        parts, problems = matched(self._call("gradients", X, Y), self.leaves())
        if problems:
            raise NetworkProblem(*(f"{self.label}: {problem}" for problem in problems))
        return np.concatenate([np.asarray(leaf.array).ravel() for leaf in parts]).astype(self.dtype)

    def predict(self, X: Array) -> np.ndarray:
        """What the network answers, as it answers."""
        return np.asarray(self._call("predict", X))

    def step(self, lr: float) -> None:
        """Its own update, by the gradients that it has last computed."""
        self._call("step", lr)

    def _changes(self, now: Layout) -> list[str]:
        """What is not as it was when the network was made."""
        before, after = dict(self.layout), dict(now)
        if list(before) != list(after):
            names = ", ".join(before), ", ".join(after)
            return [f"{self.label}: parameters held {names[0]} at first, and now {names[1]}."]
        return [
            f"{self.label}: parameter {name} had the shape {shape} at first, and now {after[name]}."
            for name, shape in before.items()
            if shape != after[name]
        ]

    def _call(self, name: str, *arguments: Any) -> Any:
        try:
            return getattr(self.functions, name)(*arguments)
        except (Exception, SystemExit) as error:
            raise NetworkError(told(error, self.label, name, arguments)) from error


def walk(tree: Any, place: str, name: str = "") -> Iterator[Leaf]:
    """The arrays of nested dicts, lists and tuples, in their order.

    >>> [(leaf.name, leaf.place) for leaf in walk({"W": np.ones(2), "b": [np.ones(1)]}, "parameters")]
    [('W', "parameters['W']"), ('b.0', "parameters['b'][0]")]
    """
    named = tree._asdict() if hasattr(tree, "_asdict") else tree
    if isinstance(named, Mapping):
        entries = [(str(key), f"{place}[{key!r}]", part) for key, part in named.items()]
    elif isinstance(named, list | tuple):
        entries = [(str(index), f"{place}[{index}]", part) for index, part in enumerate(named)]
    else:
        # The scaling of the inputs stands beside the parameters in weights.npz, under these names.
        yield Leaf(_file_name(name or place) + "_" * (name in ("shift", "scale")), place, tree)
        return
    for key, where, part in entries:
        yield from walk(part, where, f"{name}.{key}" if name else key)


def arrays_of(theta: Array, layout: Layout) -> dict[str, Array]:
    """θ (P,) as arrays by name.

    >>> arrays_of(np.arange(3.0), (("W", (1, 2)), ("b", ())))
    {'W': array([[0., 1.]]), 'b': array(2.)}
    """
    found, start = {}, 0
    for name, shape in layout:
        stop = start + prod(shape)
        found[name] = theta[start:stop].reshape(shape)
        start = stop
    return found


def matched(gradients: Any, parameters: Sequence[Leaf]) -> tuple[list[Leaf], list[str]]:
    """The gradients in the order of the parameters, and all that is wrong with them.

    `dW1` stands for `W1` too, and a list of as many arrays for any structure.
    """
    if gradients is None:
        names = ", ".join(f'"{leaf.name}": d{leaf.name}' for leaf in parameters[:3])
        more = ", ..." if len(parameters) > 3 else ""
        return [], [f"gradients(X, Y) returned None. At its end: return {{{names}{more}}}"]
    leaves = list(walk(gradients, "gradients"))
    listed = isinstance(gradients, list | tuple) and not hasattr(gradients, "_asdict")
    if listed and len(leaves) == len(parameters):  # in their order, however the parameters are kept
        leaves = [leaf._replace(name=parameter.name) for leaf, parameter in zip(leaves, parameters, strict=True)]
    found = {leaf.name: leaf for leaf in leaves}
    spelled = [leaf.name if leaf.name in found else _d(leaf.name) for leaf in parameters]
    problems, parts = [], []
    for leaf, name in zip(parameters, spelled, strict=True):
        if name not in found:
            near = get_close_matches(leaf.name, set(found) - set(spelled), n=1, cutoff=0.4)
            has = f"it has {', '.join(found) or 'nothing'}"
            hint = f". Did you mean {near[0]!r}?" if near else "."
            problems.append(f"gradients(X, Y) has nothing for {leaf.place}; {has}{hint}")
            continue
        gradient = found[name]
        parts.append(gradient)
        problem = _gradient_problem(gradient, leaf)
        if problem:
            problems.append(problem)
    surplus = [found[name].place for name in found if name not in spelled]
    if surplus and listed and len(parts) == len(parameters):  # a dictionary may hold dA1 and dZ1 beside dW1
        problems.append(f"{', '.join(surplus)} is a gradient of nothing: there is no such parameter.")
    return parts, problems


def told(error: BaseException, label: str, name: str, arguments: Sequence[Any] = ()) -> str:
    """An exception of the user's code in the user's own frames, and in one last line what was called, with what."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith("runner."):
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames)
    theirs = [each for each in traceback.extract_tb(frames) if "site-packages" not in each.filename]
    at = f", {theirs[-1].filename}:{theirs[-1].lineno}" if theirs else ""
    shapes = ", ".join(
        f"{what} {argument.shape}"
        for what, argument in zip("XY", arguments, strict=False)
        if isinstance(argument, np.ndarray)
    )
    given = f"; given {shapes}" if shapes else ""
    return f"{''.join(lines)}{label}: {name} raised {type(error).__name__}: {error}{given}{at}"


def _parameter_problems(leaf: Leaf) -> list[str]:
    array = leaf.array
    if not isinstance(array, np.ndarray):
        return [f"{leaf.place} must be an array that can be changed in place, like np.zeros(1). Got {_what(array)}."]
    if array.dtype.kind != "f":
        return [
            f"{leaf.place} holds {array.dtype} and must hold floats: whole numbers cut every update off. "
            "np.array([1.0, 2.0]), or .astype(float)."
        ]
    if not array.size:
        return [f"{leaf.place} is empty: it has the shape {array.shape}."]
    if not array.flags.writeable:
        return [f"{leaf.place} is read-only and must be an array that can be changed in place."]
    return []


def _gradient_problem(gradient: Leaf, parameter: Leaf) -> str | None:
    array, shape = np.asarray(gradient.array), parameter.array.shape
    if array.dtype.kind in "iub":
        return f"{gradient.place} holds {array.dtype} and must hold floats: whole numbers have cut something off."
    if array.dtype.kind != "f":
        return f"{gradient.place} must be an array of floats. Got {_what(gradient.array)}."
    if array.shape != shape:
        turned = " It is transposed." if array.ndim == 2 and array.shape == shape[::-1] else ""
        return f"{gradient.place} has shape {array.shape}, and {parameter.place} has {shape}.{turned}"
    if np.shares_memory(array, parameter.array):
        return (
            f"{gradient.place} is {parameter.place} itself (they share memory): an update of the one changes the "
            "other. Return an array of its own."
        )
    return None


def _d(name: str) -> str:
    """dW1 for W1, layers.0.dW for layers.0.W."""
    head, dot, last = name.rpartition(".")
    return f"{head}{dot}d{last}"


def _file_name(name: str) -> str:
    """A name that files and MLflow's metrics take."""
    return "".join(letter if letter.isalnum() or letter in "_.-" else "_" for letter in name)


def _what(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.shape} of {value.dtype}"
    return f"{type(value).__name__} {value!r:.40}" if value is not None else "None (is a `return` missing?)"
