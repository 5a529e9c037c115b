"""What was computed, operation by operation: nodes in order, and which of them stands in which memory now.

Memory is what counts: each owner of memory has a current node, and a view is looked up by where it lies in it. So an
array that is written to through any of its views is a new node from then on, and arrays that have lost their class on
their way through C code are known again by their memory. NumPy only.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from runner.diagnosis.line.memory import kept, owner, plain, positions, put, writer
from runner.diagnosis.line.places import line_of, theirs

TAPES: list["Tape"] = []  # those that record now: the last one is asked
DEPTH = 6  # so many calls of the user's own code are kept of each operation


class Node:
    """One value and how it was made: `op` of `inputs` (nodes, or constants), by `compute`(*values of inputs).

    `where` holds the user's calls, the innermost first, as (code, instruction); `how` is what the operation's
    derivative needs to know. A leaf (a watched array) has a `name` and no inputs.
    """

    __slots__ = ("compute", "how", "index", "inputs", "name", "op", "value", "where")

    def __init__(self, op: str, inputs: Sequence[Any], value: Any, compute: Callable[..., Any] | None = None):
        self.op, self.inputs, self.value, self.compute = op, tuple(inputs), value, compute
        self.where: tuple[tuple[Any, int], ...] = ()
        self.how: Any = None
        self.name = ""
        self.index = -1

    @property
    def file(self) -> str:
        return self.where[0][0].co_filename if self.where else ""

    @property
    def function(self) -> str:
        return self.where[0][0].co_name if self.where else ""

    @property
    def line(self) -> int:
        """The line where it was computed, 0 where that is no line of the user's."""
        return line_of(*self.where[0]) if self.where else 0

    @property
    def place(self) -> tuple[str, int]:
        return self.file, self.line

    def parents(self) -> Iterator["Node"]:
        return (each for each in self.inputs if isinstance(each, Node))

    def raw(self) -> list[Any]:
        """The values of the inputs."""
        return [each.value if isinstance(each, Node) else each for each in self.inputs]

    def __repr__(self) -> str:
        return f"<{self.name or self.op} {np.shape(self.value)} line {self.line}>"


class Memory:
    """An array that owns its memory: the `node` of what stands in it now, and how often it was written to."""

    __slots__ = ("live", "node", "owner", "version")

    def __init__(self, owner: np.ndarray, node: Node):
        self.owner, self.node, self.version = owner, node, 0
        self.live = [node]  # nodes whose values lie in this memory: copied before it is written to

    def keep(self) -> None:
        for node in self.live:
            node.value = node.value.copy()
        self.live.clear()


class Tape:
    """All that was computed, in order. `lost` says where a value went where it cannot be followed.

    `classed`(array, matrix) gives a plain array the class whose operations come back here.
    """

    def __init__(self, classed: Callable[[np.ndarray, bool], Any]) -> None:
        self.classed = classed
        self.nodes: list[Node] = []
        self.memory: dict[int, Memory] = {}
        self.constant: set[int] = set()  # owners of memory that nobody writes to: it need not be copied
        self.lost: dict[tuple[str, int], str] = {}

    def watch(self, array: Any, name: str) -> Any:
        """The array in the same memory, from now on followed as a leaf of this name."""
        raw = plain(np.asanyarray(array))
        node = Node("leaf", (), raw)
        node.name = name
        self._add(node)
        top = owner(raw)
        if raw.shape == top.shape and raw.strides == top.strides:
            self.memory[id(top)] = Memory(top, node)
            return self._view(raw, node, isinstance(array, np.matrix))
        whole = Node("leaf", (), plain(top).copy())
        held = self.memory.setdefault(id(top), Memory(top, self._add(whole)))
        position = positions(raw, top)
        held.keep()
        held.node = self._add(Node("write", (held.node, node), plain(top)))
        held.node.how, held.version = position, held.version + 1
        held.node.compute = writer(position)
        held.live.append(held.node)
        return self._view(raw, node, isinstance(array, np.matrix))

    def node_of(self, array: Any) -> Node | None:
        """The node of an array, known by its class or by its memory; None for a constant."""
        if not isinstance(array, np.ndarray):
            return None
        top = owner(array)
        held = self.memory.get(id(top))
        if held is None or held.owner is not top:
            return None
        if getattr(array, "_seen", None) == (held.version, id(self)):
            return array._node  # type: ignore[attr-defined]
        node = self._read(held, plain(array))
        if hasattr(array, "_seen") and node is not None:
            array._node, array._seen = node, (held.version, id(self))  # type: ignore[attr-defined]
        return node

    def record(
        self,
        op: str,
        inputs: Sequence[Any],
        value: Any,
        compute: Callable[..., Any],
        how: Any = None,
        matrix: bool = False,
    ) -> Any:
        """The value, followed: as a new node, where any of the inputs is one."""
        nodes = [self.node_of(each) for each in inputs]
        if value is None or (isinstance(value, np.ndarray | np.generic) and np.asarray(value).dtype.kind not in "fiub"):
            return value
        array = plain(np.asarray(value))
        if not any(nodes):
            return self.classed(array, matrix)
        taken = [node if node is not None else self._kept(each) for node, each in zip(nodes, inputs, strict=True)]
        node = Node(op, taken, array, compute)
        node.how = how
        return self._wrapped(array, self._add(node), matrix)

    def _kept(self, value: Any) -> Any:
        """A constant as it is now."""
        still = self.constant and isinstance(value, np.ndarray) and id(owner(value)) in self.constant
        return plain(value) if still else kept(value)

    def write(self, target: np.ndarray, key: Any, value: Any, op: str = "write") -> None:
        """target[key] = value, or target[key] += value with op `add_at`, followed."""
        raw, top = plain(target), owner(target)
        held = self.memory.get(id(top))
        known = held is not None and held.owner is top
        given = self.node_of(value) if isinstance(value, np.ndarray) else None
        if given is None and not known:
            put(raw, key, plain(value), op)
            return
        if held is None or not known:
            before = Node("constant", (), plain(top).copy())
            held = self.memory[id(top)] = Memory(top, self._add(before))
        try:
            position = positions(raw, top)[key]
        except (ValueError, IndexError):
            self.lose("memory that is read as another type")
            put(raw, key, plain(value), op)
            return
        held.keep()
        put(raw, key, plain(value), op)
        node = Node(op, (held.node, given if given is not None else kept(value)), plain(top), writer(position, op))
        node.how = position
        held.node, held.version = self._add(node), held.version + 1
        held.live.append(node)

    def replaced(self, target: np.ndarray, made: Any) -> None:
        """`made` was computed to stand in `target` (in-place operations, out=)."""
        raw, top = plain(target), owner(target)
        node = self.node_of(made)
        held = self.memory.get(id(top))
        whole = raw.shape == top.shape and raw.strides == top.strides and np.shape(made) == raw.shape
        if node is None or not whole or raw.dtype.kind != "f":
            self.write(target, ..., made)
            return
        if held is None or held.owner is not top:
            held = self.memory[id(top)] = Memory(top, node)
            held.live.clear()
        held.keep()
        node.value = np.array(node.value, dtype=raw.dtype)
        raw[...] = node.value
        held.node, held.version = node, held.version + 1
        if hasattr(target, "_seen"):
            target._node, target._seen = node, (held.version, id(self))  # type: ignore[attr-defined]

    def lose(self, what: str) -> None:
        where = theirs(1)
        if where:
            code, instruction = where[0]
            self.lost.setdefault((code.co_filename, line_of(code, instruction)), what)

    def _add(self, node: Node) -> Node:
        node.index = len(self.nodes)
        node.where = theirs(DEPTH)
        self.nodes.append(node)
        return node

    def _wrapped(self, array: np.ndarray, node: Node, matrix: bool) -> Any:
        top = owner(array)
        held = self.memory.get(id(top))
        if held is None or held.owner is not top:
            if array is not top and (array.shape != top.shape or array.strides != top.strides):
                array = array.copy()
                node.value = top = array
            held = self.memory[id(top)] = Memory(top, node)
        else:
            held.live.append(node)
        return self._view(array, node, matrix)

    def _view(self, array: np.ndarray, node: Node, matrix: bool) -> Any:
        made = self.classed(array, matrix)
        made._node, made._seen = node, (self.memory[id(owner(array))].version, id(self))
        return made

    def _read(self, held: Memory, array: np.ndarray) -> Node | None:
        """The node of a view: a part of what stands in its memory now."""
        top = held.owner
        same = array.shape == top.shape and array.strides == top.strides
        if same and array.__array_interface__["data"] == top.__array_interface__["data"]:
            return held.node
        try:
            position = positions(array, top)
        except ValueError:
            self.lose("memory that is read as another type")
            return None
        node = Node("view", (held.node,), array, lambda a: a.reshape(-1)[position])
        node.how = position
        held.live.append(node)
        return self._add(node)
