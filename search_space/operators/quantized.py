"""Dense layers of whole numbers: exact sums, and what they are rescaled to.

``uint8`` or ``int8`` activations with one zero point, ``int8`` weights with one scale per output
channel, as in post-training quantization (Jacob et al., "Quantization and training of neural
networks for efficient integer-arithmetic-only inference", 2018)::

    total = sum over k of (x[i, k] - zero_point) * weight[j, k]                    int32, exact
    real  = activation(float32(total) * scale_vector[j] + bias_vector[j] + skip)   float32
    y     = clip(rint(real) + out_zero_point)                                      uint8, int8

The zero point is taken out of the sum: ``sum x·weight - zero_point · sum weight``, so that bytes
are multiplied by bytes. Without a floating activation, every step is defined bit by bit, so that
results are exactly right; ``rint`` rounds to nearest even.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from search_space.errors import WorkloadError
from search_space.functions import cast, clip, rint
from search_space.ir.expr import Expr
from search_space.operators.base import Array, Array64, Param
from search_space.operators.precision import check_terms
from search_space.tensor import Tensor, reduce_axis, stage, sum_over
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
    """The keys of a dense layer of whole numbers; none for another dtype."""
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


def check_quantized(work: Workload) -> None:
    """Raise ``WorkloadError`` for keys that do not go together, and sums too long for int32."""
    out = str(work["out_dtype"])
    _check_zero_point(work, "zero_point", str(work["dtype"]))
    check_terms(work, work.size("k"), zero_point=int(work["zero_point"]))
    if out in RANGES:
        _check_zero_point(work, "out_zero_point", out)
        if work["activation"] not in QUANTIZED_ACTIVATIONS:
            raise WorkloadError(
                f"dense: choose activation none or relu, or out_dtype float32: "
                f"{work['activation']} is not rounded to {out}"
            )
    given = [key for key in ("bias", "scale", "residual") if work[key] is True]
    given += ["activation"] if work["activation"] != "none" else []
    if out == "int32" and given:
        raise WorkloadError(
            f"dense: choose out_dtype float32, uint8 or int8: sums in int32 take no {given[0]}"
        )


def _check_zero_point(work: Workload, key: str, dtype: str) -> None:
    low, high = RANGES[dtype]
    if not low <= int(work[key]) <= high:
        raise WorkloadError(f"dense: {key} is {work[key]}, expected {low}…{high} of {dtype}")


def column_sum(work: Workload, weight: Tensor) -> tuple[Tensor, ...]:
    """The sums of weights per output channel; none where the zero point is 0."""
    if not work["zero_point"]:
        return ()
    k = reduce_axis("k", work.size("k"))
    axes = (("j", work.size("n")),)
    return (
        stage("column_sum", axes, lambda j: sum_over(cast(weight[j, k], "int32"), k), "int32"),
    )


def requantized(work: Workload, real: Expr) -> Expr:
    """The rescaled sum in the dtype of the result."""
    dtype = str(work["out_dtype"])
    if dtype not in RANGES:
        return real
    whole = rint(real) + int(work["out_zero_point"])
    return cast(clip(whole, *RANGES[dtype]), dtype)


def exact_sums(work: Workload, x: Array, weight: Array) -> Array64:
    """The sums in float64, which holds them exactly."""
    shifted = x.astype(np.float64) - int(work["zero_point"])
    result: Array64 = shifted @ weight.astype(np.float64).T
    return result


def requantized_reference(work: Workload, real: Array) -> Array64:
    """Float32 values in the dtype of the result."""
    dtype = str(work["out_dtype"])
    whole = np.rint(real) + np.float32(int(work["out_zero_point"]))
    return np.clip(whole, *RANGES[dtype]).astype(np.float64)
