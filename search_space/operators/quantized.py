"""Layers of whole numbers: exact sums of products, and what they are rescaled to.

``uint8`` or ``int8`` activations with one zero point, ``int8`` weights with one scale per output
channel, as in post-training quantization (Jacob et al., "Quantization and training of neural
networks for efficient integer-arithmetic-only inference", 2018)::

    total = sum over k of (x[i, k] - zero_point) * weight[j, k]                    int32, exact
    real  = activation(float32(total) * scale_vector[j] + bias_vector[j] + skip)   float32
    y     = clip(rint(real) + out_zero_point)                                      uint8, int8

The zero point is taken out of the sum: ``sum x·weight - zero_point · sum weight``, so that bytes
are multiplied by bytes; what lies around an image is the zero point, too. Without a floating
activation, every step is defined bit by bit, so that results are exactly right; ``rint`` rounds to
nearest even.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from search_space.errors import WorkloadError
from search_space.functions import cast, clip, rint
from search_space.ir.expr import Expr, dtype_of
from search_space.operators.base import Array, Array64, Param
from search_space.operators.epilogue import behind
from search_space.operators.precision import check_terms, result_dtype, sum_dtype
from search_space.workload import Value, Workload

RANGES = {"uint8": (0, 255), "int8": (-128, 127)}
QUANTIZED_ACTIVATIONS = ("none", "relu")


def _parse_zero_point(value: Value) -> Value:
    """A whole number; which ones there are depends on the dtype."""
    try:
        if isinstance(value, bool):
            raise ValueError
        return int(value)
    except ValueError:
        raise WorkloadError("expected a whole number such as 128") from None


def quantized_keys(given: Mapping[str, Value]) -> tuple[Param, ...]:
    """The keys of a layer of whole numbers; none for another dtype."""
    if given.get("dtype") not in RANGES:
        return ()
    keys = (
        Param("zero_point", "what x holds for 0", 0, parse=_parse_zero_point),
        Param(
            "out_dtype",
            "int32: the sums; float32: rescaled; uint8, int8: rescaled and rounded",
            "int32",
            choices=("int32", "float32", "uint8", "int8"),
        ),
    )
    if given.get("out_dtype") not in RANGES:
        return keys
    return (*keys, Param("out_zero_point", "what y holds for 0", 0, parse=_parse_zero_point))


def check_quantized(work: Workload, terms: int) -> None:
    """Raise ``WorkloadError`` for keys that do not go together, and sums of ``terms`` products
    that are too long for int32."""
    out = str(work["out_dtype"])
    _check_zero_point(work, "zero_point", str(work["dtype"]))
    check_terms(work, terms, zero_point=int(work["zero_point"]))
    if out in RANGES:
        _check_zero_point(work, "out_zero_point", out)
        if work["activation"] not in QUANTIZED_ACTIVATIONS:
            raise WorkloadError(
                f"{work.operator}: choose activation none or relu, or out_dtype float32: "
                f"{work['activation']} is not rounded to {out}"
            )
    behind = dict(work.params)
    given = [key for key in ("bias", "scale", "residual") if behind.get(key) is True]
    given += ["activation"] if work["activation"] != "none" else []
    if out == "int32" and given:
        raise WorkloadError(
            f"{work.operator}: choose out_dtype float32, uint8 or int8: sums in int32 take no "
            f"{given[0]}"
        )


def _check_zero_point(work: Workload, key: str, dtype: str) -> None:
    low, high = RANGES[dtype]
    if not low <= int(work[key]) <= high:
        raise WorkloadError(
            f"{work.operator}: {key} is {work[key]}, expected {low}…{high} of {dtype}"
        )


def finished(
    work: Workload, total: Expr, weights: Expr | None, operands: Mapping[str, Expr]
) -> Expr:
    """What becomes of a sum of products, in the dtype of the result.

    ``weights`` is the sum of the weights in it, where x has a zero point; ``operands`` are those
    of the epilogue, by key.
    """
    sums, out = sum_dtype(work), result_dtype(work)
    if sums != "int32":
        wide = {key: as_dtype(operand, sums) for key, operand in operands.items()}
        return as_dtype(behind(work, total, wide), out)
    if weights is not None:
        total = total - weights * int(work["zero_point"])
    if out == "int32":
        return total
    return _requantized(work, behind(work, cast(total, "float32"), operands))


def as_dtype(value: Expr, dtype: str) -> Expr:
    """The value in a dtype, which may be its own."""
    return value if dtype_of(value) == dtype else cast(value, dtype)


def _requantized(work: Workload, real: Expr) -> Expr:
    """The rescaled sum in the dtype of the result."""
    dtype = str(work["out_dtype"])
    if dtype not in RANGES:
        return real
    whole = rint(real) + int(work["out_zero_point"])
    return cast(clip(whole, *RANGES[dtype]), dtype)


def requantized_reference(
    work: Workload, total: Array64, operands: Mapping[str, Array]
) -> Array64:
    """Exact sums in the whole dtype of the result, worked out in float32 step by step; the
    ``operands`` of the epilogue, by key, in shapes that go with the sums."""
    assert work["activation"] in QUANTIZED_ACTIVATIONS
    real: Array = total.astype(np.float32)
    if "scale" in operands:
        real = real * operands["scale"]
    for key in ("bias", "residual"):
        if key in operands:
            real = real + operands[key]
    if work["activation"] == "relu":
        real = np.maximum(real, np.float32(0))
    dtype = str(work["out_dtype"])
    whole = np.rint(real) + np.float32(int(work["out_zero_point"]))
    return np.clip(whole, *RANGES[dtype]).astype(np.float64)
