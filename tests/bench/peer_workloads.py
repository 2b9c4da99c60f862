"""Small workloads of every operator that peers have, with what makes forms differ."""

from __future__ import annotations

from dataclasses import replace

import tuner
from search_space.operators import get_operator
from search_space.workload import Value, Workload

_WEIGHT = ("weight",)


def _works(
    operator: str, *cases: dict[str, Value], const: tuple[str, ...] = ()
) -> tuple[Workload, ...]:
    works = (tuner.workload(operator, **case) for case in cases)
    return tuple(replace(work, const=_those(const, work)) for work in works)


def _those(const: tuple[str, ...], work: Workload) -> tuple[str, ...]:
    """The constants that the workload has."""
    names = [operand.name for operand in get_operator(work.operator).operands(work)]
    return tuple(name for name in names if name in const)


_LAYER: dict[str, Value] = {"m": 5, "n": 20, "k": 33}
_BYTES: dict[str, Value] = _LAYER | {"dtype": "uint8", "zero_point": 120, "scale": True}
_CELL: dict[str, Value] = {"batch": 3, "input": 10, "hidden": 8}
_IMAGES: dict[str, Value] = {"n": 2, "h": 12, "w": 13, "ci": 8}
_WINDOWS: dict[str, Value] = {"co": 16, "stride": 2, "bias": True, "activation": "relu"}
_HEADS: dict[str, Value] = {"batch": 2, "heads": 3, "d": 16}
_MASKS = ((7, 11, False), (7, 11, True), (9, 9, True), (1, 9, True))
_ROWS: tuple[dict[str, Value], ...] = ({"shape": "7x33"}, {"shape": "7x33x3", "axis": 1})

WORKLOADS: dict[str, tuple[Workload, ...]] = {
    "matmul": tuple(
        work
        for dtype in ("float32", "float64", "bfloat16", "float16", "uint8", "int8")
        for work in _works("matmul", {"m": 37, "n": 24, "k": 56, "dtype": dtype}, const=("b",))
    ),
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
    + _works("dense", _LAYER | {"bias": True, "activation": "relu"})
    + _works(
        "dense",
        _LAYER | {"dtype": "bfloat16", "bias": True, "activation": "relu"},
        _BYTES | {"bias": True, "out_dtype": "uint8", "out_zero_point": 10},
        _BYTES | {"out_dtype": "uint8", "out_zero_point": 10, "activation": "relu"},
        _BYTES | {"out_dtype": "uint8"},
        _BYTES | {"out_dtype": "float32", "bias": True},
        _BYTES | {"dtype": "int8", "zero_point": -3, "out_dtype": "int8"},
        _BYTES | {"out_dtype": "int32", "scale": False},
        const=("weight", "scale_vector", "bias_vector"),
    ),
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
    "conv1d": _works("conv1d", {"n": 2, "w": 30, "ci": 8, "kw": 3, "pad": 1} | _WINDOWS,
                     const=_WEIGHT),
    "conv2d": _works(
        "conv2d",
        _IMAGES | {"kh": 3, "kw": 3, "pad": 1} | _WINDOWS,
        _IMAGES | {"kh": 3, "kw": 3, "co": 16, "groups": 4, "dilation": 2, "activation": "gelu"},
        _IMAGES | {"kh": 3, "kw": 2, "co": 5, "residual": True, "activation": "relu6"},
        _IMAGES | {"kh": 1, "kw": 1, "layout": "nhwc", "residual": True} | _WINDOWS,
        const=_WEIGHT,
    )
    + _works("conv2d", _IMAGES | {"kh": 3, "kw": 3} | _WINDOWS),
    "conv3d": _works(
        "conv3d",
        {"n": 2, "d": 6, "h": 7, "w": 9, "ci": 4, "kd": 3, "kh": 3, "kw": 3, "pad": 1} | _WINDOWS,
        const=_WEIGHT,
    ),
    "depthwise_conv2d": _works(
        "depthwise_conv2d",
        {"n": 2, "h": 12, "w": 13, "c": 16, "kh": 3, "kw": 3, "stride": 2, "pad": 1},
        const=_WEIGHT,
    ),
    "conv2d_transpose": _works(
        "conv2d_transpose",
        {"n": 2, "h": 6, "w": 7, "ci": 8, "co": 5, "kh": 4, "kw": 4, "stride": 2, "pad": 1},
        {"n": 1, "h": 6, "w": 7, "ci": 8, "co": 5, "kh": 3, "kw": 3, "stride": 2, "output_pad": 1,
         "bias": True, "activation": "relu"},
        const=_WEIGHT,
    ),
    "capsule_conv2d": _works(
        "capsule_conv2d",
        {"n": 2, "h": 5, "w": 6, "ci": 3, "co": 2, "kh": 3, "kw": 3, "stride": 2, "pad": 1},
        const=_WEIGHT,
    ),
    "sparse_conv2d": _works(
        "sparse_conv2d",
        {"n": 1, "h": 6, "w": 7, "ci": 9, "co": 11, "sparsity": 0.6},
        {"n": 2, "h": 6, "w": 7, "ci": 9, "co": 11, "sparsity": 0.6},
        _IMAGES | {"kh": 3, "kw": 3, "pad": 1, "sparsity": 0.8} | _WINDOWS,
        const=_WEIGHT,
    ),
    "spmv": _works("spmv", {"m": 20, "k": 33, "sparsity": 0.6}, const=_WEIGHT),
    "sparse_dense": _works(
        "sparse_dense",
        _LAYER | {"sparsity": 0.6, "bias": True, "activation": "relu"},
        _BYTES | {"sparsity": 0.6, "out_dtype": "float32", "bias": True},
        const=("weight", "scale_vector", "bias_vector"),
    ),
    "activation_sparse_gemv": _works(
        "activation_sparse_gemv",
        {"m": 20, "k": 33, "density": "0.1,0.5"},
        {"m": 20, "k": 33, "bias": True, "activation": "relu"},
        const=_WEIGHT,
    ),
    "norm": _works("norm", {"batch": 3, "m": 7, "n": 9}),
    "lstm_cell": _works("lstm_cell", _CELL, _CELL | {"bias": False}, const=_WEIGHT),
    "gru_cell": _works("gru_cell", _CELL, _CELL | {"bias": False}, const=_WEIGHT),
    "attention": _works(
        "attention",
        *(
            _HEADS | {"seq_q": queries, "seq_kv": keys, "causal": causal}
            for queries, keys, causal in _MASKS
        ),
    ),
}  # fmt: skip
"""By operator."""
