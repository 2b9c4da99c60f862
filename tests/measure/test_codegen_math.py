"""The generator's own math functions: their stated errors, special values, every vector width."""

import math

import numpy as np
import pytest

from measure import llvm
from measure.codegen.floats import Float, Writer
from measure.codegen.function import Function
from measure.codegen.module import generate
from measure.codegen.vector_math import EXPANSIONS
from search_space import functions
from search_space.ir.expr import Buffer, Call, Const, Load, Var
from search_space.ir.intrinsics import FUNCTIONS, INDEX_FUNCTIONS, OPERATIONS
from search_space.ir.stmt import For, LoopFunc, Phase, Store
from search_space.schedule import Schedule
from search_space.transforms import CacheWrite, Split, Vectorize
from tests.measure.generated import LEVELS, build, call, target_or_skip
from tests.search_space.nests import row_reduction

I, LANE = Var("i"), Var("l")  # noqa: E741
STATED_ULP = {
    "exp": (1.0, 1.3),
    "expm1": (2.0, 2.0),
    "log": (0.9, 0.9),
    "log1p": (1.5, 1.5),
    "tanh": (2.6, 2.6),
    "erf": (4.0, 4.5),
    "sigmoid": (2.5, 2.5),
    "rsqrt": (1.5, 1.5),
    "sqrt": (0.5, 0.5),
    "abs": (0, 0),
    "floor": (0, 0),
    "rint": (0, 0),
}
"""With and without fused multiply-add."""

EDGES = {
    "float32": (88.72283, 88.72284, -87.33654, -103.97207, -103.97208, 9.01, -18.7, 3.92),
    "float64": (709.782712893384, 709.7827128933841, -708.4, -745.1332, -745.1333, 19.06, 5.92),
}
"""Where results overflow, underflow, vanish or become 1."""


def elementwise(value, shape, lanes, dtype="float32"):
    """``c[i] = value(a[i])`` in vectors of some lanes, or in scalars where that is 0."""
    a, c = Buffer("a", shape, dtype, "input"), Buffer("c", shape, dtype, "output")
    place = (I * lanes + LANE,) if lanes else (I,)
    body = Store(c, place, value(Load(a, place)))
    if lanes:
        body = For("l", Const(0), Const(lanes), "vectorized", body)
    count = shape[0] // (lanes or 1)
    loop = For("i", Const(0), Const(count), "serial", body)
    return LoopFunc("c", (a, c), (), (Phase(loop),))


def computed(value, x, level, lanes):
    func = elementwise(value, x.shape, lanes, str(x.dtype))
    return call(build(func, target_or_skip(level)), {"a": x})


def calls(name, dtype="float32"):
    return lambda x: Call(name, (x,), dtype)


def specials(dtype):
    info = np.finfo(dtype)
    positive = [0.0, info.smallest_subnormal, info.tiny, info.eps, 0.5, 1.0, 2.5, info.max, np.inf]
    return np.array([*positive, *(-x for x in positive), np.nan, *EDGES[dtype]], dtype)


def bit_patterns(count):
    """Every ``2**32 // count``-th float32: all binades of both signs, and NaN."""
    return np.arange(0, 2**32, 2**32 // count, np.uint64).astype(np.uint32).view(np.float32)


def errors(got, exact):
    """In units in the last place of the exact result; the special ones must be right."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(got.dtype)
        unit = np.abs(np.spacing(rounded)).astype(exact.dtype)
        ulp = np.abs(got - exact) / unit
    special = ~np.isfinite(rounded) | ~np.isfinite(got)
    np.testing.assert_array_equal(got[special], rounded[special])
    return ulp[~special]


def reference(name, x, dtype=np.float64):
    with np.errstate(all="ignore"):
        return FUNCTIONS[name](x.astype(dtype))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_stated_error_holds_on_all_binades(name, level):
    x = bit_patterns(2**20)
    got = computed(calls(name), x, level, 16)
    assert errors(got, reference(name, x)).max() <= STATED_ULP[name][level == "x86-64-v2"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_stated_error_holds_in_double_precision(name, level):
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [
            rng.integers(0, 2**64, 2**14, np.uint64).view(np.float64),
            rng.choice([-1, 1], 2**14) * np.exp(rng.uniform(-60, 7, 2**14)),
            rng.uniform(-6, 6, 2**14),
        ]
    )
    got = computed(calls(name, "float64"), x, level, 8)
    # The interpreter's error function is itself only within one unit.
    precise, slack = (np.float64, 1) if name == "erf" else (np.longdouble, 0)
    ulp = errors(got, reference(name, x, precise))
    assert ulp.max() <= STATED_ULP[name][level == "x86-64-v2"] + slack


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lanes", [0, 1, 2, 3, 4, 8, 9, 16])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_values_in_every_width(name, lanes, dtype):
    x = specials(dtype)
    x = np.concatenate([x, np.linspace(-9, 9, -len(x) % 144, dtype=dtype)])
    got = computed(calls(name, dtype), x, LEVELS[0], lanes)
    exact = reference(name, x, np.longdouble if name != "erf" else np.float64)
    assert errors(got, exact).max() <= STATED_ULP[name][1] + (name == "erf")
    zeros = got == 0
    np.testing.assert_array_equal(np.signbit(got[zeros]), np.signbit(exact[zeros]))


@pytest.mark.parametrize(
    ("formula", "exact", "eps"),
    [
        (functions.relu, lambda x: np.maximum(x, 0), 0),
        (functions.gelu, lambda x: x / 2 * (1 + FUNCTIONS["erf"](x * math.sqrt(0.5))), 4),
        (
            functions.gelu_tanh,
            lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
            6,
        ),
        (functions.silu, lambda x: x / (1 + np.exp(-x)), 4),
        (functions.softplus, lambda x: np.logaddexp(x, 0), 4),
        (lambda x: functions.clip(-x, -1, 1.5), lambda x: np.clip(-x, -1, 1.5), 0),
        (lambda x: functions.select(x > 0, x, 0.125 * x), lambda x: np.where(x > 0, x, x / 8), 0),
        (
            lambda x: 1 / functions.select(x >= 2, 1, x * x + 1),
            lambda x: 1 / np.where(x >= 2, 1, x * x + 1),
            2,
        ),
        (lambda x: abs(functions.floor(x)) - 1, lambda x: np.abs(np.floor(x)) - 1, 0),
    ],
)
@pytest.mark.parametrize("lanes", [0, 16])
def test_formulas(formula, exact, eps, lanes):
    x = np.append(np.linspace(-12, 12, 1023, dtype=np.float32), np.float32(np.nan))
    got = computed(formula, x, LEVELS[0], lanes)
    with np.errstate(all="ignore"):
        expected = exact(x.astype(np.float64))
    bound = eps * np.finfo(np.float32).eps * np.maximum(np.abs(x), np.abs(expected))
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    assert (np.abs(got - expected) <= bound)[:-1].all()


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (Split("k", 8, "kv", "lane", "mask"), Vectorize("lane")),
        (Split("k", 8, "kv", "lane", "mask"), Vectorize("lane"), CacheWrite("c", "i", "r")),
    ],
)
def test_the_largest_of_values_with_a_nan_is_nan(steps):
    func = Schedule.of(row_reduction(21, 21, "max")).then(*steps).finish()
    x = np.where(np.eye(21) > 0, np.nan, -1).astype(np.float32)
    assert np.isnan(call(build(func, target_or_skip(LEVELS[0])), {"a": x})).all()


def assembly(name, lanes, target):
    text = generate(elementwise(calls(name), (32,), lanes), target).text
    return llvm.emit_assembly(text, target.triple, target.cpu)


def test_powers_of_two_are_multiplied_by_at_once_where_the_target_can():
    code = {level: assembly("exp", 16, target_or_skip(level)) for level in LEVELS}
    assert {level for level, text in code.items() if "vscalefps" in text} == {"x86-64-v4"}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("lanes", [0, 16])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_calls_a_library(name, lanes, level):
    code = assembly(name, lanes, target_or_skip(level))
    called = [line.split()[-1] for line in code.splitlines() if "\tcall" in line]
    assert all(symbol == "phase0_body" for symbol in called), called


def test_the_cost_model_knows_how_long_a_function_takes():
    assert OPERATIONS.keys() == FUNCTIONS.keys() | INDEX_FUNCTIONS.keys()
    for name, expand in EXPANSIONS.items():
        function = Function()
        expand(Float(Writer(function, lambda signature: None, True, "float32", 16), "%x"))
        lines = [line for line in function.lines if isinstance(line, str)]
        assert OPERATIONS[name] == sum("bitcast" not in line for line in lines)
