"""What trains, as the loop sees it: a Protocol for networks in mid-training, and one for what is asked about them.

    kind = kind_of(recipe)              runner.training.kinds: the one place that chooses an implementation
    stack = kind.start([recipe, ...])   a Trainable: K members at step 0
    stack.advance(stack.gradient())     one step

An implementation is a pair: a `Trainable`, which has the state, and its `Kind`, which has none and answers what is
asked of a recipe before, beside and after training. Nobody else asks what a recipe is: record, screen, sweeps and
diagnosis ask its kind. There are our stack (stack.py, dense.py), one whose rows stay in their file (streamed.py) and a
network of the user's own (own/). NumPy only.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from runner.nn.types import Array, Part
from runner.training.nonfinite import NonFinite
from runner.training.recipe import Plan, Recipe


class Snapshot(NamedTuple):
    """The whole state of `members` (k,) after `step` updates: parameters (k, P) and the optimizer's memory.

    They are what a `Trainable` goes on from, in the coordinates that it is trained in, and not what is reported.
    """

    step: int
    members: np.ndarray
    theta: Array
    memory: Any
    seen: Array | None = None  # (k, 3), where rows are streamed: see runner.training.streamed


class Measured(NamedTuple):
    """`values` (K,) by metric, |W_l| (K, layers), and `g` (K, P): the training set's gradient, without dropout.

    `sound`: the costs, the weights and the gradients are numbers. Where it is false, it may be only their squares.
    """

    values: dict[str, Array]
    weight_norms: Array
    g: Array
    sound: bool


class Trainable(Protocol):
    """K networks in mid-training. The loop makes rows, checkpoints and ends of it, whatever it is.

    What the loop relies on:

    - Everything random is a function of (seed, step), so that `again` replays bit for bit.
    - A member gets the same bits alone as beside others.
    - Nothing is raised where numbers leave the finite ones: `measure` says so, `first_nonfinite` says where.
    - Arrays that are returned may be overwritten by the next call, but those of `snapshot` and `parameters`.
    """

    @property
    def recipes(self) -> Sequence[Recipe]:
        """One a live member, in the order of `members`."""

    @property
    def members(self) -> np.ndarray:
        """The numbers of the live members (K,)."""

    @property
    def step(self) -> int:
        """The updates made so far."""

    @property
    def plan(self) -> Plan:
        """That of all members."""

    @property
    def theta(self) -> Array:
        """The parameters (K, P), in the coordinates that they are trained in."""

    @property
    def full_gradient(self) -> bool:
        """Whether a step's gradient is the one that `measure` has formed: then it is not formed twice."""

    def gradient(self) -> Array:
        """g (K, P) of this step's batch."""

    def advance(self, g: Array) -> Array:
        """θ := θ - step, and on to the next; returns the step (K, P)."""

    def quietly(self, count: int, should_stop: Callable[[], bool]) -> bool:
        """Make `count` updates that nobody looks at; whether a stop was asked for, and the rest was left out.

        The same bits as `advance(gradient())` as often. `should_stop` is asked so often that a user does not wait.
        """

    def measure(self) -> Measured:
        """Costs and scores of every set, norms of weights and gradients, as they are before this step."""

    def update_ratios(self, change: Array, before: Array) -> dict[str, Array]:
        """|ΔW| / |W| by metric, of the step that `advance` returned; `before` are the norms that were measured."""

    def first_nonfinite(self) -> NonFinite | None:
        """The first bad value of this step of a single member, or None. Leaves the state as it is."""

    def snapshot(self) -> Snapshot:
        """The state as it is now, in arrays of its own."""

    def again(self, recipes: Sequence[Recipe], state: Snapshot) -> "Trainable":
        """The members of `state`, whose recipes these are, from there on with the same data, in arrays of their own."""

    def parameters(self, position: int) -> Array:
        """θ (P,) of the member at `position` as it is reported: by features, an array of its own."""


class Kind(Protocol):
    """What can be said of a recipe's training without training it. Frozen, cheap to make; `kind_of` makes it."""

    @property
    def title(self) -> str:
        """What the network is called; empty where the configuration describes it."""

    @property
    def known(self) -> bool:
        """Whether widths, activation and head say what it computes; else all that is known are costs and gradients."""

    @property
    def in_memory(self) -> bool:
        """Whether the rows to train on are at hand: the gradient is checked, and a failure looked into, on them."""

    @property
    def stacks(self) -> bool:
        """Whether several members train as one; else each is a stack alone."""

    @property
    def threaded(self) -> bool:
        """Whether a stack trains its members on all cores by itself: then further processes gain nothing."""

    @property
    def shares_order(self) -> bool:
        """Whether the members of a stack read the same batches, and so must have one seed."""

    @property
    def updates_itself(self) -> bool:
        """Whether it makes its own steps. Then its state is its own too: it is resumed from its start."""

    @property
    def digest(self) -> str:
        """SHA-256 of the user's code that decides the result; empty where there is none."""

    @property
    def largest(self) -> int:
        """The numbers in the largest matrix that each row of a batch is multiplied by: what threads pay for."""

    @property
    def size(self) -> int:
        """The numbers in θ as `parameters` gives it."""

    @property
    def parts(self) -> list[Part]:
        """The arrays of θ by name, layer by layer, as `parameters` gives it."""

    @property
    def metrics(self) -> list[str]:
        """What every row of its runs holds, update ratios aside."""

    def arrays(self, theta: Array) -> dict[str, Array]:
        """θ (P,) as the arrays that are kept, by name and in the shapes that people know them by: views."""

    def recorded(self) -> dict[str, Any]:
        """What must be kept beside widths and names of a network to make it again, as JSON has it."""

    def start(self, recipes: Sequence[Recipe], state: Snapshot | None = None) -> Trainable:
        """The members of these recipes at step 0, each drawn alone; or at `state`."""


def step_by_step(stack: Trainable, count: int, should_stop: Callable[[], bool]) -> bool:
    """`Trainable.quietly` in its plainest form: asked before every step."""
    advance, gradient = stack.advance, stack.gradient
    for _ in range(count):
        if should_stop():
            return True
        advance(gradient())
    return False


def select(state: Snapshot, keep: np.ndarray) -> Snapshot:
    """The part of a snapshot that belongs to the members at positions `keep` (k,)."""
    memory = map_arrays(lambda array: array[keep], state.memory)
    seen = None if state.seen is None else state.seen[keep]
    return Snapshot(state.step, state.members[keep], state.theta[keep], memory, seen)


def map_arrays(function: Callable[[Array], Array], memory: Any) -> Any:
    """An optimizer's memory with `function` applied to each of its arrays; its numbers stay as they are."""
    return type(memory)(*(function(part) if isinstance(part, np.ndarray) else part for part in memory))
