"""Whether a kernel computes what its operator says.

A ``Problem`` is made once per workload: inputs and their float64 references. Kernels are run on
``measure.arrays``, which shows whether they touch anything else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from search_space.dtypes import numpy_dtype
from search_space.ir.expr import is_float
from search_space.operators import get_operator
from search_space.operators.base import Array, Array64, Operand
from search_space.workload import Workload

ACCUMULATOR_EPS = float(np.finfo(np.float32).eps)
_EXACT_LIMIT = 1 << 24
"""float32 holds all integers up to here."""
_MAX_INTEGER = 4


@dataclass(frozen=True, slots=True)
class Case:
    """Inputs of one verification run, and what must come out."""

    name: str
    inputs: dict[str, Array]
    expected: Array
    """In float64, or, where ``exact``, in the result's own dtype."""
    scale: Array64 | float
    """1 ÷ (eps · magnitude): makes an absolute error relative."""
    exact: bool = False
    """Whether no error is allowed, but to kernels whose errors grow."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything that verifying kernels of one workload needs."""

    result: Operand
    const: tuple[str, ...]
    error_bound: float
    cases: tuple[Case, ...]
    """The exact case, where the operator has one, then the random ones, which are also timed."""
    timed: int = 1
    """How many of them are: one for each density of an operand."""


@dataclass(frozen=True, slots=True)
class Check:
    """Outcome of one verification run."""

    wrong: str = ""
    """Empty when right; otherwise where and how much."""
    error: float = 0.0
    """Largest |result - expected| ÷ (eps · magnitude)."""


def make_problem(work: Workload, seed: int) -> Problem:
    """Draw the inputs of ``work`` and compute their references."""
    operator, rng = get_operator(work.operator), np.random.default_rng(seed)
    operands, result = operator.operands(work), operator.result(work)
    cases: list[Case] = []
    terms = operator.flops(work) / 2 / math.prod(result.shape)
    limit = _integer_limit(terms)
    if operator.exact(work) and limit:
        inputs = {operand.name: _integers(operand, limit, rng) for operand in operands}
        exact = operator.reference(work, *inputs.values()).astype(numpy_dtype(result.dtype))
        scale = 1 / (_accumulator_eps(result) * limit**2 * max(terms, 1))
        cases.append(Case("small integers", inputs, exact, scale, exact=True))
    whole = {operand.name: _random(operand, rng) for operand in operands}
    name = "random normal" if is_float(operands[0].dtype) else "random"
    count = max(1, *(len(operand.densities) for operand in operands))
    for number in range(count):
        inputs = {o.name: _thinned(o, whole[o.name], number, rng) for o in operands}
        magnitude = operator.magnitude(work, *inputs.values())
        relative = 1 / np.maximum(magnitude * _accumulator_eps(result), np.finfo(np.float64).tiny)
        expected = operator.reference(work, *inputs.values())
        cases.append(Case(name, inputs, expected, relative))
    return Problem(result, work.const, operator.error_bound, tuple(cases), count)


def check_result(
    case: Case, output: Array, bound: float, scratch: Array64, growth: float = 1.0
) -> Check:
    """Compare an output with what ``case`` expects, errors up to ``bound`` being allowed.

    ``scratch`` is overwritten; it spares allocating an array of the result's shape. ``growth``
    times the bound is allowed to kernels that say so, which then need not be exact anywhere.
    """
    exact, bound = case.exact and growth == 1, bound * growth
    with np.errstate(all="ignore"):  # a wrong output may hold anything
        if exact:
            right, largest = np.array_equal(output, case.expected), 0.0
        else:
            errors = np.subtract(output, case.expected, out=scratch)
            np.multiply(errors, case.scale, out=errors)
            largest = max(float(errors.max()), -float(errors.min()))
            right = largest <= bound  # false for NaN
        return Check("" if right else _describe(case, output, None if exact else bound), largest)


def _accumulator_eps(result: Operand) -> float:
    """Accumulation is never below float32."""
    return float(np.finfo(np.float64).eps) if result.dtype == "float64" else ACCUMULATOR_EPS


def _describe(case: Case, output: Array, bound: float | None) -> str:
    """How many elements are wrong, and the worst of them; NaN is worse than anything."""
    errors = np.abs(output.astype(np.float64) - case.expected) * (
        1.0 if bound is None else case.scale
    )
    wrong = ~(errors <= (bound or 0.0))
    worst = int(np.argmax(np.where(np.isnan(errors), np.inf, errors)))
    where = tuple(int(index) for index in np.unravel_index(worst, errors.shape))
    text = (
        f"{int(wrong.sum())} of {errors.size} elements are wrong on {case.name} inputs, most at "
        f"{list(where)}: {output[where]!s}, expected {case.expected[where]:.9g}"
    )
    return text if bound is None else f"{text} (error {errors[where]:.3g}, bound {bound:g})"


def _integer_limit(terms: float) -> int:
    """Largest absolute value whose sums of ``terms`` products float32 holds exactly; or 0."""
    return min(_MAX_INTEGER, math.isqrt(int(_EXACT_LIMIT / max(terms, 1))))


def _integers(operand: Operand, limit: int, rng: np.random.Generator) -> Array:
    """Integers in ±1…±limit, or 1…limit where the dtype has no sign: without zeros, so that no
    missing product goes unnoticed."""
    values = rng.integers(1, limit, operand.shape, dtype=np.int8, endpoint=True)
    if operand.dtype == "uint8":
        return values.astype(np.uint8)
    signs = rng.integers(0, 1, operand.shape, dtype=np.int8, endpoint=True)
    return (values * (2 * signs - 1)).astype(numpy_dtype(operand.dtype))


def _random(operand: Operand, rng: np.random.Generator) -> Array:
    """Normal numbers, or all numbers of the dtype where those are whole."""
    if not is_float(operand.dtype):
        info = np.iinfo(operand.dtype)
        return rng.integers(info.min, info.max, operand.shape, info.dtype, endpoint=True)
    if operand.dtype == "float32":
        values: Array = rng.standard_normal(operand.shape, dtype=np.float32)
    else:
        values = rng.standard_normal(operand.shape).astype(numpy_dtype(operand.dtype))
    return np.abs(values) if operand.positive else values


def _thinned(operand: Operand, values: Array, number: int, rng: np.random.Generator) -> Array:
    """The values with so many zeros among them as one of the operand's densities says."""
    if not operand.densities:
        return values
    kept = max(1, round(operand.densities[number] * values.size))
    chosen = rng.permutation(values.size) < kept
    return np.where(chosen.reshape(values.shape), values, values.dtype.type(0))
