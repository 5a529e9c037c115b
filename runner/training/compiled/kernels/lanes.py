"""Eight numbers at a time: the type that the kernels compute with, and its operations.

A `Lanes` value is LLVM's <8 x double>. What is written with it is computed in that order on every machine: whatever the
width of its registers, lane i of a sum holds the terms i, i + 8, i + 16 ..., and `total` adds the lanes as one tree.
Nothing here lets a compiler reorder a sum; a product is added with one rounding where the source says `fma`.

An equation (`@traced`) is plain Python: it is run once, when a kernel is compiled, on `Eight`s that write down what is
done with them. So it costs numba nothing, and becomes part of whoever calls it.
"""

import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function, pack_array
from numba.core.datamodel.models import PrimitiveModel
from numba.core.extending import intrinsic, lower_builtin, register_model
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature

WIDTH = 8
DOUBLE = ir.DoubleType()
DOUBLES = ir.VectorType(DOUBLE, WIDTH)
INTEGERS = ir.VectorType(ir.IntType(64), WIDTH)


class Lanes(types.Type):
    """Eight float64, as numba sees them."""


lanes = Lanes("Lanes")


@register_model(Lanes)
class _Model(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any):
        super().__init__(manager, kind, DOUBLES)


def _index(number: int) -> Any:
    return ir.Constant(ir.IntType(32), number)


def _undefined(of: Any) -> Any:
    return ir.Constant(of, ir.Undefined)


def _splat(builder: Any, value: Any) -> Any:
    one = builder.insert_element(_undefined(DOUBLES), value, _index(0))
    return builder.shuffle_vector(one, _undefined(DOUBLES), ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * 8))


class Eight:
    """Eight numbers while an equation is traced: operators on it, and on it and a number, write instructions."""

    def __init__(self, builder: Any, value: Any):
        self.builder, self.value = builder, value

    def like(self, other: "Eight | float") -> Any:
        """Another's value; a number's as eight."""
        return other.value if isinstance(other, Eight) else ir.Constant(DOUBLES, [float(other)] * WIDTH)

    def _of(self, name: str, *values: Any) -> "Eight":
        return Eight(self.builder, getattr(self.builder, name)(*values))

    def __add__(self, other: "Eight | float") -> "Eight":
        return self._of("fadd", self.value, self.like(other))

    def __sub__(self, other: "Eight | float") -> "Eight":
        return self._of("fsub", self.value, self.like(other))

    def __mul__(self, other: "Eight | float") -> "Eight":
        return self._of("fmul", self.value, self.like(other))

    def __truediv__(self, other: "Eight | float") -> "Eight":
        return self._of("fdiv", self.value, self.like(other))

    def __radd__(self, other: float) -> "Eight":
        return self._of("fadd", self.like(other), self.value)

    def __rsub__(self, other: float) -> "Eight":
        return self._of("fsub", self.like(other), self.value)

    def __rmul__(self, other: float) -> "Eight":
        return self._of("fmul", self.like(other), self.value)

    def __rtruediv__(self, other: float) -> "Eight":
        return self._of("fdiv", self.like(other), self.value)

    def __neg__(self) -> "Eight":
        return self._of("fneg", self.value)

    def __gt__(self, other: "Eight | float") -> Any:
        return self.builder.fcmp_ordered(">", self.value, self.like(other))

    def __lt__(self, other: "Eight | float") -> Any:
        return self.builder.fcmp_ordered("<", self.value, self.like(other))

    def llvm(self, name: str, *others: "Eight | float") -> "Eight":
        """One of LLVM's own functions, such as llvm.sqrt, of this and the others."""
        kind = ir.FunctionType(DOUBLES, [DOUBLES] * (1 + len(others)))
        function = get_or_insert_function(self.builder.module, kind, f"llvm.{name}.v{WIDTH}f64")
        return self._of("call", function, [self.value, *(self.like(other) for other in others)])

    def choose(self, where: Any, a: "Eight | float", b: "Eight | float") -> "Eight":
        return self._of("select", where, self.like(a), self.like(b))


def fma(a: Eight, b: Eight | float, c: Eight | float) -> Eight:
    """a b + c, rounded once."""
    return a.llvm("fma", b, c)


def root(a: Eight) -> Eight:
    return a.llvm("sqrt")


def magnitude(a: Eight) -> Eight:
    return a.llvm("fabs")


def with_sign_of(a: Eight, sign: Eight) -> Eight:
    return a.llvm("copysign", sign)


def at_most(a: Eight, most: float) -> Eight:
    """min(a, most); NaN stays."""
    return a.choose(a > most, most, a)


def at_least(a: Eight, least: float) -> Eight:
    """max(a, least); NaN stays."""
    return a.choose(a < least, least, a)


def power_of_two(shifted: Eight) -> Eight:
    """2ⁿ of whole numbers -1022 <= n <= 1023, given as n + 1.5 * 2⁵²: n stands in the lowest bits of that."""
    builder = shifted.builder

    def eight(number: int) -> Any:
        return ir.Constant(INTEGERS, [number] * WIDTH)

    exponent = builder.shl(builder.bitcast(shifted.value, INTEGERS), eight(52))
    return Eight(builder, builder.bitcast(builder.add(exponent, eight(1023 << 52)), DOUBLES))


def one_by_one(name: str, a: Eight) -> Eight:
    """A function of the C library's, such as erf, of each lane."""
    builder, found = a.builder, _undefined(DOUBLES)
    function = get_or_insert_function(builder.module, ir.FunctionType(DOUBLE, [DOUBLE]), name)
    for lane in range(WIDTH):
        value = builder.call(function, [builder.extract_element(a.value, _index(lane))])
        found = builder.insert_element(found, value, _index(lane))
    return Eight(builder, found)


def traced(equation: Callable[..., Any]) -> Any:
    """An equation of `Eight`s as what a kernel can call, with lanes and with numbers; one or several results."""
    count = len(inspect.signature(equation).parameters)
    return _callable(count, lambda builder, values: equation(*(Eight(builder, value) for value in values)))


def one_of(equations: Sequence[Callable[..., Any]], count: int, results: int) -> Any:
    """(kind, `count` lanes) -> the `results` of the equation in that place of the list, all traced side by side."""

    def choose(builder: Any, kind: Any, values: Any) -> Any:
        end = builder.append_basic_block("end")
        with builder.goto_block(end):
            found = [builder.phi(DOUBLES) for _ in range(results)]
        other = builder.append_basic_block("other")
        switch = builder.switch(kind, other)
        for place, equation in enumerate(equations):
            block = builder.append_basic_block(equation.__name__)
            switch.add_case(ir.Constant(ir.IntType(64), place), block)
            with builder.goto_block(block):
                made = equation(*(Eight(builder, value) for value in values))
                for phi, each in zip(found, _several(made), strict=True):
                    phi.add_incoming(each.value, builder.block)
                builder.branch(end)
        with builder.goto_block(other):
            builder.unreachable()
        builder.position_at_end(end)
        return tuple(Eight(builder, phi) for phi in found)

    return _callable(count, choose, kinds=True)


def _several(made: Any) -> tuple[Eight, ...]:
    return made if isinstance(made, tuple) else (made,)


def _callable(count: int, generate: Callable[..., Any], kinds: bool = False) -> Any:
    """An intrinsic of `count` lanes or numbers, after a kind if `kinds`."""

    def typed(typing: Any, *arguments: Any) -> Any:
        given = [lanes if kind is lanes else types.float64 for kind in arguments[kinds:]]
        # How many results there are is known only when it has been traced: once on nothing, in a module of its own.
        module = ir.Module()
        builder = ir.IRBuilder(ir.Function(module, ir.FunctionType(ir.VoidType(), []), "trial").append_basic_block())
        trial = [_undefined(DOUBLES)] * count
        made = generate(builder, _undefined(ir.IntType(64)), trial) if kinds else generate(builder, trial)
        results = len(_several(made))

        def code(context: Any, builder: Any, found: Any, values: Any) -> Any:
            wide = [
                value if kind is lanes else _splat(builder, value)
                for kind, value in zip(found.args[kinds:], values[kinds:], strict=True)
            ]
            made = _several(generate(builder, values[0], wide) if kinds else generate(builder, wide))
            return made[0].value if results == 1 else pack_array(builder, [each.value for each in made], DOUBLES)

        result = lanes if results == 1 else types.UniTuple(lanes, results)
        return signature(result, *([types.int64] * kinds), *given), code

    names = ["typing", *(["kind"] * kinds), *(f"a{place}" for place in range(count))]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    typed.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
    return intrinsic(typed)


def _operators(operation: Any, generate: Callable[[Any, Any, Any], Any]) -> None:
    """One of Python's operators for kernels: on lanes, and on lanes and a number."""
    pairs = [(lanes, lanes), (lanes, types.float64), (types.float64, lanes)]

    class _Template(ConcreteTemplate):
        cases = [signature(lanes, *pair) for pair in pairs]  # noqa: RUF012

    infer_global(operation)(_Template)

    def code(context: Any, builder: Any, found: Any, values: Any) -> Any:
        wide = [
            value if kind is lanes else _splat(builder, value) for kind, value in zip(found.args, values, strict=True)
        ]
        return generate(builder, *wide)

    for pair in pairs:
        lower_builtin(operation, *pair)(code)


_operators(operator.add, lambda builder, a, b: builder.fadd(a, b))
_operators(operator.sub, lambda builder, a, b: builder.fsub(a, b))
_operators(operator.mul, lambda builder, a, b: builder.fmul(a, b))
_operators(operator.truediv, lambda builder, a, b: builder.fdiv(a, b))
add_product = traced(fma)
splat = traced(lambda number: number)
larger = traced(lambda a, b: a.choose(a < b, b, a))


@intrinsic
def total(typing: Any, a: Any) -> Any:
    """The sum of the lanes: ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7))."""

    def code(context: Any, builder: Any, found: Any, values: Any) -> Any:
        [value], count = values, WIDTH
        while count > 2:
            half = count // 2
            low, high = (
                ir.Constant(ir.VectorType(ir.IntType(32), half), list(range(start, start + half)))
                for start in (0, half)
            )
            undefined = _undefined(value.type)
            value = builder.fadd(
                builder.shuffle_vector(value, undefined, low), builder.shuffle_vector(value, undefined, high)
            )
            count = half
        return builder.fadd(*(builder.extract_element(value, _index(lane)) for lane in (0, 1)))

    return types.float64(lanes), code


@intrinsic
def pointer(typing: Any, array: Any) -> Any:
    """Where a flat array's numbers begin: kernels take it in its place, as nobody counts who refers to it."""

    def code(context: Any, builder: Any, found: Any, values: Any) -> Any:
        return context.make_array(found.args[0])(context, builder, values[0]).data

    return types.CPointer(array.dtype)(array), code


@intrinsic
def further(typing: Any, start: Any, by: Any) -> Any:
    """The pointer to what stands `by` places after `start`."""
    return start(start, types.int64), lambda context, builder, found, values: builder.gep(values[0], [values[1]])


def _place(builder: Any, start: Any, index: Any) -> Any:
    return builder.bitcast(builder.gep(start, [index]), DOUBLES.as_pointer())


@intrinsic
def load(typing: Any, start: Any, index: Any) -> Any:
    """The eight numbers from start[index] on."""

    def code(context: Any, builder: Any, found: Any, values: Any) -> Any:
        read = builder.load(_place(builder, *values))
        read.align = 8
        return read

    return lanes(start, types.int64), code


@intrinsic
def store(typing: Any, start: Any, index: Any, a: Any) -> Any:
    """start[index : index + 8] = a."""

    def code(context: Any, builder: Any, found: Any, values: Any) -> Any:
        builder.store(values[2], _place(builder, *values[:2])).align = 8
        return context.get_dummy_value()

    return types.void(start, types.int64, lanes), code
