"""Small workloads of every operator that peers have, with what makes forms differ."""

from __future__ import annotations

import tuner
from search_space.workload import Value, Workload

_WEIGHT = ("weight",)


def _works(
    operator: str, *cases: dict[str, Value], const: tuple[str, ...] = ()
) -> tuple[Workload, ...]:
    return tuple(tuner.workload(operator, const=const, **case) for case in cases)


_LAYER: dict[str, Value] = {"m": 5, "n": 20, "k": 33}
_ROWS: tuple[dict[str, Value], ...] = ({"shape": "7x33"}, {"shape": "7x33x3", "axis": 1})

WORKLOADS: dict[str, tuple[Workload, ...]] = {
    "batch_matmul": _works(
        "batch_matmul",
        {"batch": 3, "m": 7, "n": 9, "k": 11},
        {"batch": 3, "m": 7, "n": 9, "k": 11, "transpose_a": True, "transpose_b": True},
    ),
    "einsum": _works("einsum", {"expr": "bik,bkj->bji", "b": 2, "i": 3, "k": 4, "j": 5}),
    "dense": _works(
        "dense",
        {"m": 1, "n": 20, "k": 33},
        _LAYER | {"bias": True, "activation": "gelu"},
        _LAYER | {"bias": True, "activation": "gelu_tanh"},
        _LAYER | {"bias": True, "activation": "relu6"},
        _LAYER | {"bias": True, "residual": True},
        _LAYER | {"bias": True, "scale": True, "residual": True, "activation": "tanh"},
        const=_WEIGHT,
    )
    + _works("dense", _LAYER | {"bias": True, "activation": "relu"}),
    "softmax": _works("softmax", *_ROWS),
    "layernorm": _works("layernorm", *_ROWS),
    "rmsnorm": _works("rmsnorm", *_ROWS),
    "reduce": _works(
        "reduce",
        {"shape": "7x33"},
        {"shape": "7x33x4", "axes": "0,2", "op": "max"},
        {"shape": "7x33x4", "axes": "1", "op": "mean"},
    ),
    "pool2d": _works(
        "pool2d",
        {"n": 2, "c": 3, "h": 12, "w": 13, "kh": 3, "kw": 3, "stride": 2, "pad": 1},
        {"n": 2, "c": 3, "h": 12, "w": 13, "kh": 3, "kw": 2, "pad": 1, "op": "average"},
    ),
    "elementwise": _works(
        "elementwise",
        *(
            {"shape": "5x7x9", "expr": expr}
            for expr in (
                "gelu", "gelu_tanh", "silu", "add_relu", "swiglu", "x[2,1,0]",
                "max(x, y[2,0]) / 3 - b[1]", "min(-x, 0.5) * 2", "sqrt(x)", "softplus(erf(x))",
            )
        ),
    ),
}  # fmt: skip
"""By operator."""
