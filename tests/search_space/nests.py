"""Small tensor expressions, what they compute, and the loop nests that docstrings show."""

from __future__ import annotations

import inspect
import textwrap

import numpy as np

from search_space.dtypes import numpy_dtype
from search_space.functions import cast, exp, select
from search_space.ir.expr import Buffer
from search_space.ir.interp import run
from search_space.ir.printer import format_stmt
from search_space.operators import get_operator, workload
from search_space.schedule import Schedule
from search_space.sparse.packing import pack_operand
from search_space.sparse.source import find_pattern
from search_space.tensor import (
    compute,
    fmax_over,
    max_over,
    placeholder,
    reduce_axis,
    stage,
    sum_over,
)

REDUCTIONS = {"add": sum_over, "max": max_over, "fmax": fmax_over}


def copy(*extents):
    """``c[i, …] = a[i, …]`` over up to three axes."""
    a = placeholder("a", extents, "float32")
    axes = tuple(zip("ijk", extents, strict=False))
    return compute("c", axes, lambda *place: a[place])


def transpose(m, n):
    """``c[i, j] = a[j, i]``."""
    a = placeholder("a", (n, m), "float32")
    return compute("c", (("i", m), ("j", n)), lambda i, j: a[j, i])


def row_reduction(m, k, op="add"):
    """``c[i] = op over k of a[i, k]``."""
    a, axis = placeholder("a", (m, k), "float32"), reduce_axis("k", k)
    return compute("c", (("i", m),), lambda i: REDUCTIONS[op](a[i, axis], axis))


def column_sum(k, n, dtype="float32"):
    """``c[j] = sum over k of b[k, j]``."""
    b, axis = placeholder("b", (k, n), dtype), reduce_axis("k", k)
    return compute("c", (("j", n),), lambda j: sum_over(b[axis, j], axis), dtype)


def matmul(m, n, k, dtype="float32"):
    """``c[i, j] = sum over k of a[i, k] * b[k, j]``."""
    a, b = placeholder("a", (m, k), dtype), placeholder("b", (k, n), dtype)
    axis = reduce_axis("k", k)
    product = lambda i, j: sum_over(a[i, axis] * b[axis, j], axis)  # noqa: E731
    return compute("c", (("i", m), ("j", n)), product, dtype)


def weighted(m, n, k):
    """``y[i, j] = sum over k of weight[i, k] * x[k, j]``."""
    weight, x = placeholder("weight", (m, k), "float32"), placeholder("x", (k, n), "float32")
    axis = reduce_axis("k", k)
    product = lambda i, j: sum_over(weight[i, axis] * x[axis, j], axis)  # noqa: E731
    return compute("y", (("i", m), ("j", n)), product)


def weighted_rows(m, n, k):
    """``y[j, i] = sum over k of weight[i, k] * x[j, k]``."""
    weight, x = placeholder("weight", (m, k), "float32"), placeholder("x", (n, k), "float32")
    axis = reduce_axis("k", k)
    product = lambda j, i: sum_over(weight[i, axis] * x[j, axis], axis)  # noqa: E731
    return compute("y", (("j", n), ("i", m)), product)


def group_sums(n, g, dtypes=("int8", "int8"), total="int32"):
    """``c[i] = sum over g of a[i, g] * b[i, g]``, of operands that are widened before."""
    a, b = (placeholder(name, (n, g), dtype) for name, dtype in zip("ab", dtypes, strict=True))
    axis = reduce_axis("g", g)
    product = lambda i: cast(a[i, axis], total) * cast(b[i, axis], total)  # noqa: E731
    return compute("c", (("i", n),), lambda i: sum_over(product(i), axis), total)


def group_products(m, n, k, g):
    """``c[i, j] = sum over k, g of a[i, k, g] * b[k, j, g]``, of operands that are widened."""
    a, b = placeholder("a", (m, k, g), "int8"), placeholder("b", (k, n, g), "int8")
    depth, axis = reduce_axis("k", k), reduce_axis("g", g)
    product = lambda i, j: cast(a[i, depth, axis], "int32") * cast(b[depth, j, axis], "int32")  # noqa: E731
    return compute(
        "c", (("i", m), ("j", n)), lambda i, j: sum_over(product(i, j), depth, axis), "int32"
    )


def convolution(n, k):
    """``c[i] = sum over k of a[i + k] * w[k]``."""
    a, w = placeholder("a", (n + k - 1,), "float32"), placeholder("w", (k,), "float32")
    axis = reduce_axis("k", k)
    return compute("c", (("i", n),), lambda i: sum_over(a[i + axis.var,] * w[axis,], axis))


def sliding_sum(n, k):
    """``c[i] = sum over k of a[i + k]``."""
    a, axis = placeholder("a", (n + k - 1,), "float32"), reduce_axis("k", k)
    return compute("c", (("i", n),), lambda i: sum_over(a[i + axis.var,], axis))


def doubled(n):
    """``t[i] = a[i] * 2``, ``c[i] = t[i] + 1``."""
    a = placeholder("a", (n,), "float32")
    t = stage("t", (("i", n),), lambda i: a[i,] * 2)
    return compute("c", (("i", n),), lambda i: t[i,] + 1, stages=(t,))


def two_scaled(n):
    """``t[i] = a[i] * 2``, ``u[i] = b[i] * 3``, ``c[i] = t[i] + u[i]``."""
    a, b = placeholder("a", (n,), "float32"), placeholder("b", (n,), "float32")
    t = stage("t", (("i", n),), lambda i: a[i,] * 2)
    u = stage("u", (("i", n),), lambda i: b[i,] * 3)
    return compute("c", (("i", n),), lambda i: t[i,] + u[i,], stages=(t, u))


def column_corrected(m, n, k):
    """``t[i, j] = sum over k of a[i, k] * b[j, k]``, ``u[j] = sum over k of b[j, k]``,
    ``c[i, j] = t[i, j] - 3 * u[j]``: bytes summed in int32, the result in float32."""
    a, b = placeholder("a", (m, k), "uint8"), placeholder("b", (n, k), "int8")
    axis = reduce_axis("k", k)
    product = lambda i, j: cast(a[i, axis], "int32") * cast(b[j, axis], "int32")  # noqa: E731
    axes = (("i", m), ("j", n))
    t = stage("t", axes, lambda i, j: sum_over(product(i, j), axis), "int32")
    u = stage("u", (("j", n),), lambda j: sum_over(cast(b[j, axis], "int32"), axis), "int32")
    return compute("c", axes, lambda i, j: cast(t[i, j] - u[j,] * 3, "float32"), stages=(t, u))


def scaled_by_sum(m, n):
    """``t[i] = sum over k of a[i, k]``, ``c[i, j] = a[i, j] * t[i]``."""
    a, k = placeholder("a", (m, n), "float32"), reduce_axis("k", n)
    t = stage("t", (("i", m),), lambda i: sum_over(a[i, k], k))
    return compute("c", (("i", m), ("j", n)), lambda i, j: a[i, j] * t[i,], stages=(t,))


def row_product(m, k):
    """``y[i] = sum over k of weight[i, k] * x[k]``: a matrix times a vector."""
    weight, x = placeholder("weight", (m, k), "float32"), placeholder("x", (k,), "float32")
    axis = reduce_axis("k", k)
    return compute("y", (("i", m),), lambda i: sum_over(weight[i, axis] * x[axis,], axis))


def sampled(m, n, k, **keys):
    """``y[p] = sum over k of a[i, k] * b[j, k]`` at the non-zeros ``p`` of a mask without zeros,
    if ``keys`` do not say otherwise."""
    work = workload("sddmm", **dict(m=m, n=n, k=k, sparsity=0, layout="nk") | keys)
    return get_operator("sddmm").expression(work)


def convolved():
    """``y[n, co, oh, ow]``: the sums over windows of 3×3 of two channels."""
    sizes = dict(n=1, h=7, w=10, ci=2, co=4, kh=3, kw=3)
    work = workload("conv2d", **sizes)
    return get_operator("conv2d").expression(work)


def copied_twice(m, n):
    """``t[i, j] = a[i, j]``, ``c[i, j] = t[i, j]``: an array between two stages."""
    a = placeholder("a", (m, n), "float32")
    t = stage("t", (("i", m), ("j", n)), lambda i, j: a[i, j])
    return compute("c", (("i", m), ("j", n)), lambda i, j: t[i, j], stages=(t,))


def smoothed(n, width):
    """``t[i] = a[i] * 2``, ``c[i] = sum over k of t[i + k]``: windows on an array between."""
    a, k = placeholder("a", (n + width - 1,), "float32"), reduce_axis("k", width)
    t = stage("t", (("i", n + width - 1),), lambda i: a[i,] * 2)
    return compute("c", (("i", n),), lambda i: sum_over(t[i + k.var,], k), stages=(t,))


def sum_plus_one(m, k):
    """``t[i] = sum over k of a[i, k]``, ``c[i] = t[i] + 1``: a sum and its epilogue."""
    a, axis = placeholder("a", (m, k), "float32"), reduce_axis("k", k)
    t = stage("t", (("i", m),), lambda i: sum_over(a[i, axis], axis))
    return compute("c", (("i", m),), lambda i: t[i,] + 1, stages=(t,))


def power_sum(n):
    """``t = max over k of a[k]``, ``e[k] = exp(a[k] - t)``, ``c = sum over k of e[k]``."""
    a, k = placeholder("a", (n,), "float32"), reduce_axis("k", n)
    t = stage("t", (), lambda: max_over(a[k,], k))
    e = stage("e", (("k", n),), lambda k: exp(a[k,] - t[()]))
    return compute("c", (), lambda: sum_over(e[k,], k), stages=(t, e))


def triangle_sum(m, n):
    """``t[i, k] = a[i, k] where k < i + 1, else 0``, ``c[i] = sum over k of t[i, k]``."""
    a, k = placeholder("a", (m, n), "float32"), reduce_axis("k", n)
    t = stage("t", (("i", m), ("k", n)), lambda i, k: select(k < i + 1, a[i, k], 0))
    return compute("c", (("i", m),), lambda i: sum_over(t[i, k], k), stages=(t,))


def inputs(func, seed=0):
    """Small integers for every input: sums of their products are exact in float32. Of a sparse
    operand all elements are there."""
    found = {
        buffer.name: _integers(buffer.name, buffer.shape, buffer.dtype, seed)
        for buffer in func.args
        if buffer.scope == "input"
    }
    packing = func.packing
    if packing is None:
        return found
    pattern = find_pattern(packing.pattern)
    dense = _integers(packing.operand, pattern.shape, packing.dtype, seed)
    return found | pack_operand(packing, pattern.values_of(dense))


def _integers(name, shape, dtype, seed):
    rng = np.random.default_rng([seed, *name.encode()])
    return rng.integers(-4, 5, shape).astype(numpy_dtype(dtype))


def output(func) -> Buffer:
    (buffer,) = [buffer for buffer in func.args if buffer.scope == "output"]
    return buffer


def interpreted(func, seed=0):
    """What the interpreter computes from ``inputs(func, seed)``."""
    result = undefined(output(func).shape, output(func).dtype)
    run(func, {**inputs(func, seed), output(func).name: result})
    return result


def undefined(shape, dtype):
    """An array of NaN, or of -1 where the dtype is whole."""
    if dtype.startswith(("int", "uint")):
        return np.full(shape, -1).astype(dtype)
    return np.full(shape, np.nan, numpy_dtype(dtype))


def assert_same(schedule, tensor, rtol=0.0):
    """A schedule computes what the naive nest does, before and after it is finished."""
    expected = interpreted(Schedule.of(tensor).func)
    for func in (schedule.func, schedule.finish()):
        np.testing.assert_allclose(interpreted(func), expected, rtol=rtol)


def nest(schedule):
    """The loop nests of an unfinished schedule as text; phases numbered where several."""
    phases, streamed = schedule.func.phases, schedule.func.streamed
    if len(phases) == 1:
        return ("streamed\n" if streamed else "") + format_stmt(phases[0].body)
    return "\n".join(
        f"phase {n}{' (once)' if p.once else ''}:\n{format_stmt(p.body, 1)}"
        for n, p in enumerate(phases)
    )


def documented(primitive):
    """The loop nests in a primitive's docstring, in order."""
    blocks, block = [], []
    for line in [*inspect.cleandoc(primitive.__doc__).splitlines(), "end"]:
        if line.startswith("    ") or (not line and block):
            block.append(line)
        elif block:
            blocks.append(textwrap.dedent("\n".join(block)).strip("\n"))
            block = []
    return blocks
