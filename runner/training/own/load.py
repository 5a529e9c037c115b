"""From `my_module:MyNet` to a network: found, made again for each run, and its functions as the protocol has them.

The module is as fresh for every network, and NumPy's and Python's generators have been set to the run's seed before it:
so that a run gets the same weights whatever ran before it.
"""

import copy
import inspect
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from runner.nn.architectures import Own
from runner.training.own.module import fresh
from runner.training.own.network import Functions, NetworkError, NetworkProblem, OwnNetwork, told
from runner.training.own.source import has_no, sources

PROTOCOL = {"parameters": "parameters", "cost": "cost(X, Y)", "gradients": "gradients(X, Y)"}
GRADIENTS = ("gradients", "backprop", "backward", "grad")  # what people call it: the first that there is
FITS = {  # the lines that would make it fit
    "parameters": """    @property
    def parameters(self):
        return {"W1": self.W1, "b1": self.b1}  # the arrays themselves, not copies""",
    "cost": """    def cost(self, X, Y):
        A = self.predict(X)  # one sample a row
        return np.mean((A - Y) ** 2)  # what is minimised, one number""",
    "gradients": """    def gradients(self, X, Y):
        ...  # its own forward pass, and the backward pass
        return {"W1": dW1, "b1": db1}  # of each of the parameters, by its name""",
}


def load(
    own: Own, inputs: int, outputs: int, seed: int, dtype: str, data: tuple[np.ndarray, np.ndarray] | None = None
) -> OwnNetwork:
    """The network of `own` for `inputs` features and `outputs` columns of Y, fresh, its weights of `seed`.

    `data` (X, Y) is for a constructor that asks for it.

    Raises NetworkProblem where there is none, or where it is not what the protocol asks for; NetworkError with their
    traceback where the user's lines raise.
    """
    hidden = None if own.hidden is None else list(own.hidden)
    given: dict[str, Any] = {"inputs": inputs, "hidden": hidden, "outputs": outputs, "seed": seed}
    if data is not None:
        given |= {"X": data[0], "x": data[0], "Y": data[1], "y": data[1]}
    given["widths"] = None if hidden is None else [inputs, *hidden, outputs]
    label = own.network
    found: Any = fresh(own, seed)
    name = own.network.partition(":")[2]
    for part in name.split(".") if name else ():
        if not hasattr(found, part):
            raise NetworkProblem(f"architecture.network={label}: {has_no(found, part)}")
        found = getattr(found, part)
    found = _only_class(found, own) if not name else found
    makes = inspect.isclass(found) or inspect.isfunction(found)
    home = getattr(sys.modules.get(found.__module__), "__file__", None) if makes else None
    if makes and (home is None or Path(home).resolve() not in sources(own)):
        raise NetworkProblem(
            f"architecture.network={label}: {name} is {found.__module__}'s, and not a network of yours."
        )
    thing = _made(found, own, given) if makes else found
    if thing is None:
        raise NetworkProblem(f"{label}: it returned None, and must return what has cost and gradients.")
    functions = _functions(thing, own, {} if makes else given)
    return OwnNetwork(functions, label, dtype)


def _only_class(module: Any, own: Own) -> Any:
    """The class of a module that is named alone, where it has one with the protocol, and is none itself."""
    if hasattr(module, "cost"):
        return module
    made = [each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__]
    fit = [each for each in made if hasattr(each, "cost") or any(hasattr(each, name) for name in GRADIENTS)]
    if len(fit) > 1:
        names = " or ".join(f"architecture.network={own.network}:{each.__name__}" for each in fit)
        raise NetworkProblem(f"architecture.network={own.network} holds {len(fit)} networks: {names}.")
    return fit[0] if fit else module


def _made(maker: Callable[..., Any], own: Own, given: Mapping[str, Any]) -> Any:
    """What the class or function gives, called with what it asks for by name."""
    name = getattr(maker, "__name__", "it")
    parameters = inspect.signature(maker).parameters
    asked = {key: parameter for key, parameter in parameters.items() if parameter.kind not in _GATHERED}
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    arguments: dict[str, Any] = {key: given[key] for key in asked if given.get(key) is not None}
    arguments |= own.arguments
    problems = []
    for key, parameter in asked.items():
        if key not in arguments and parameter.default is parameter.empty:
            what = "architecture.hidden=[4]" if key in ("hidden", "widths") else f"+architecture.arguments.{key}=VALUE"
            problems.append(f"{own.network}: {name}({', '.join(asked)}) needs {key}: {what}.")
    for key in own.arguments:
        if key not in asked and not takes_any:
            near = get_close_matches(key, list(asked), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            problems.append(f"architecture.arguments.{key}: {name}({', '.join(asked)}) takes no such argument.{hint}")
    if own.hidden is not None and not {"hidden", "widths"} & set(asked):
        problems.append(f"architecture.hidden: {name}({', '.join(asked)}) takes neither hidden nor widths.")
    if problems:
        raise NetworkProblem(*problems)
    try:
        return maker(**arguments)
    except NetworkProblem:
        raise
    except Exception as error:
        raise NetworkError(told(error, own.network, f"{name}()")) from error


def _functions(thing: Any, own: Own, given: Mapping[str, Any]) -> Functions:
    """The protocol's functions of an object, a module, or a mapping of functions.

    Where cost takes three arguments, the parameters are the first: then they are made once, and kept here.
    """
    label, parts = own.network, thing if isinstance(thing, Mapping) else None

    def of(name: str) -> Any:
        found = (part(each) for each in (GRADIENTS if name == "gradients" else (name,)))
        return next((each for each in found if each is not None), None)

    def part(name: str) -> Any:
        return parts.get(name) if parts is not None else getattr(thing, name, None)

    public = [name for name in (parts if parts is not None else dir(thing)) if not str(name).startswith("_")]
    public = [str(name) for name in public if str(name) not in (*PROTOCOL, "init", "predict", "step")]
    start = of("parameters") if of("parameters") is not None else of("init")
    missing = [name for name in PROTOCOL if (start if name == "parameters" else of(name)) is None]
    problems = []
    for name in missing:
        near = get_close_matches(name, public, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        lines = "" if hint else f" These lines would make it fit:\n{FITS[name]}"
        problems.append(f"{label} has no {PROTOCOL[name]}.{hint}{lines}")
    problems += [
        f"{label}: {name} must be a function. Got {type(of(name)).__name__}."
        for name in ("cost", "gradients", "predict", "step")
        if of(name) is not None and not callable(of(name))
    ]
    if own.update == "own" and of("step") is None:
        problems.append(f"architecture.update=own: {label} has no step(lr).")
    if problems:
        raise NetworkProblem(*problems)
    functional = _arguments(of("cost")) >= 3
    if given and not (functional and callable(start)):
        unused = [f"architecture.{key}" for key in ("hidden", "arguments") if getattr(own, key)]
        problems += [f"{key}: {label} is not made by the run, and takes none." for key in unused]
    if problems:
        raise NetworkProblem(*problems)
    if functional:
        held = _made(start, own, given) if callable(start) else start
        return pure({name: of(name) for name in ("cost", "gradients", "predict", "step")}, held)
    return Functions(
        parameters=start if callable(start) else lambda: of("parameters"),
        cost=of("cost"),
        gradients=of("gradients"),
        predict=of("predict"),
        step=of("step"),
        copied=lambda: _functions(copy.deepcopy(thing), own, given),
    )


def pure(functions: Mapping[str, Any], held: Any) -> Functions:
    """Functions that are given the parameters first, with the parameters `held`; a step may return new ones."""
    box = [held, None]  # the parameters, the gradients last computed

    def gradients(X: Any, Y: Any) -> Any:
        box[1] = functions["gradients"](box[0], X, Y)
        return box[1]

    def step(lr: float) -> None:
        returned = functions["step"](box[0], box[1], lr)
        if returned is not None:
            box[0] = returned

    predict = functions["predict"]
    return Functions(
        parameters=lambda: box[0],
        cost=lambda X, Y: functions["cost"](box[0], X, Y),
        gradients=gradients,
        predict=None if predict is None else lambda X: predict(box[0], X),
        step=None if functions["step"] is None else step,
        copied=lambda: pure(functions, copy.deepcopy(box[0])),
    )


def _arguments(function: Callable[..., Any]) -> int:
    """How many arguments a function must be given by position."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 2
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in positional and each.default is each.empty for each in parameters)


_GATHERED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
