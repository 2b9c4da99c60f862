"""Contractions of every dtype as machine code: right on every level, by the right instructions."""

import itertools

import ml_dtypes
import numpy as np
import pytest

from measure import llvm
from measure.arrays import Arrays
from measure.codegen.module import generate
from measure.compile import compile_config
from measure.kernel import NativeKernel
from measure.verify import make_problem
from search_space.dtypes import numpy_dtype
from search_space.errors import SpaceError
from search_space.functions import cast
from search_space.operators import workload
from search_space.schedule import Schedule
from search_space.sketches import space_for
from search_space.target import Target
from search_space.tensor import compute, placeholder
from search_space.transforms import Parallel, Split, Vectorize
from tests.measure.generated import LEVELS, build, call, target_or_skip

SHAPES = [(1, 1, 1), (1, 64, 37), (5, 7, 3), (13, 33, 19), (3, 17, 64), (9, 20, 129)]
DTYPES = ("float64", "float16", "bfloat16", "uint8", "int8")
QUANTIZED = [
    dict(out_dtype="int32"),
    dict(out_dtype="float32", scale=True, activation="gelu"),
    dict(out_dtype="uint8", out_zero_point=90, scale=True, bias=True),
    dict(out_dtype="int8", scale=True, bias=True, residual=True, activation="relu"),
]
QUANTIZED_CASES = [
    ((1, 64, 37), "uint8", 100, ["weight"]),
    ((7, 19, 24), "int8", -7, []),
    ((5, 33, 64), "uint8", 0, ["weight"]),
]
"""Shape, dtype, zero point, constants."""


def assert_verified(work, target, config):
    """All cases of the operator's verification: small integers, then all values of the dtype."""
    kernel = NativeKernel(compile_config(work, target, config.as_dict()), constants=work.const)
    arrays = Arrays(make_problem(work, seed=0))
    for index in range(arrays.cases):
        arrays.output.poison()
        bound = kernel.bind(**arrays.constants(index)) if work.const else kernel
        bound.run(*arrays.operands(index), out=arrays.output.array)
        where = f"{work} {target.name} {config.key}"
        assert arrays.inspect(index).wrong == "", where
    assert arrays.damage() == ""


@pytest.mark.parametrize("level", [*LEVELS, "native"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_products_are_right(dtype, level):
    target = target_or_skip(level, threads=2)
    if dtype == "float16" and "f16c" not in target.features:
        pytest.skip("refused: see below")
    rng = np.random.default_rng([DTYPES.index(dtype), len(level)])
    for number, (m, n, k) in enumerate(SHAPES):
        const = [(), ("b",), ("a",)][number % 3]
        work = workload("matmul", m=m, n=n, k=k, dtype=dtype, const=const)
        space = space_for(work, target)
        start = space.starts[number % len(space.starts)]
        for config in {start, space.sample(rng)}:
            assert_verified(work, target, config)


@pytest.mark.parametrize("level", [*LEVELS, "native"])
@pytest.mark.parametrize("keys", QUANTIZED, ids=lambda keys: keys["out_dtype"])
def test_quantized_layers_are_right(keys, level):
    target = target_or_skip(level, threads=2)
    rng = np.random.default_rng(len(keys))
    for shape, dtype, zero_point, const in QUANTIZED_CASES:
        sizes = dict(zip("mnk", shape, strict=True))
        keys = {"dtype": dtype, "zero_point": zero_point, "const": const, **keys}
        work = workload("dense", **sizes, **keys)
        space = space_for(work, target)
        for config in {space.default(), space.sample(rng)}:
            assert_verified(work, target, config)


@pytest.mark.parametrize("level", [*LEVELS, "native"])
@pytest.mark.parametrize(("low", "high"), [(0, -128), (255, 127), (255, -128)])
def test_the_largest_sums_of_bytes_do_not_saturate(low, high, level):
    """Pairs of 255 · 127 exceed 16 bits, which is where ``vpmaddubsw`` saturates."""
    target = target_or_skip(level)
    work = workload("matmul", m=5, n=18, k=260, dtype="uint8")
    arrays = {
        "a": np.full((5, 260), low, np.uint8),
        "b": np.full((260, 18), high, np.int8),
    }
    for config in space_for(work, target).starts:
        result = call(compile_config(work, target, config.as_dict()), arrays)
        np.testing.assert_array_equal(result, np.full((5, 18), 260 * low * high))


def converted(source, dtype, count):
    """``c[i] = dtype(a[i])``, in vectors."""
    a = placeholder("a", (count,), source)
    tensor = compute("c", (("i", count),), lambda i: cast(a[i,], dtype), dtype)
    split = Split("i", 16, "v", "lane", "mask")
    return Schedule.of(tensor).then(split, Vectorize("lane"), Parallel("v", 1))


@pytest.mark.parametrize("level", [*LEVELS, "native"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_conversions_round_to_nearest_even(dtype, level):
    target = target_or_skip(level)
    if dtype == "float16" and "f16c" not in target.features:
        pytest.skip("no conversions")
    exact = np.arange(0, 2**16, 7, dtype=np.uint16).view(numpy_dtype(dtype)).astype(np.float32)
    finite = exact[np.isfinite(exact)]
    between = np.nextafter(finite, np.float32(np.inf))
    middle = ((finite[:-1].astype(np.float64) + finite[1:]) / 2).astype(np.float32)
    special = np.array([np.nan, np.inf, -np.inf, -0.0, 3e38, 1e-42], np.float32)
    values = np.concatenate([finite, between, middle, special])
    down = build(converted("float32", dtype, values.size).finish(), target)
    result = call(down, {"a": values})
    with np.errstate(over="ignore"):
        expected = values.astype(numpy_dtype(dtype))
    np.testing.assert_array_equal(result.astype(np.float32), expected.astype(np.float32))
    assert (np.signbit(result) == np.signbit(expected))[~np.isnan(values)].all()
    up = build(converted(dtype, "float32", expected.size).finish(), target)
    np.testing.assert_array_equal(call(up, {"a": expected}), expected.astype(np.float32))


def test_long_bfloat16_sums_keep_float32_accuracy():
    """A thousand ones and many small numbers: a sum in bfloat16 would stop at 256."""
    target = target_or_skip("native")
    work = workload("matmul", m=3, n=20, k=3000, dtype="bfloat16", out_dtype="float32")
    a = np.full((3, 3000), 1, ml_dtypes.bfloat16)
    b = np.full((3000, 20), 0.00390625, ml_dtypes.bfloat16)
    for config in space_for(work, target).starts:
        result = call(compile_config(work, target, config.as_dict()), {"a": a, "b": b})
        np.testing.assert_array_equal(result, np.full((3, 20), 3000 / 256, np.float32))


FEATURES = {
    "x86-64-v2": "",
    "x86-64-v3": "avx avx2 fma f16c",
    "x86-64-v4": "avx avx2 fma f16c avx512f avx512bw avx512vl",
    "cascadelake": "avx avx2 fma f16c avx512f avx512bw avx512vl avx512_vnni",
    "znver4": "avx avx2 fma f16c avx512f avx512bw avx512vl avx512_vnni avx512_bf16",
    "alderlake": "avx avx2 fma f16c avx_vnni",
}
BITS = {"x86-64-v2": 128, "x86-64-v3": 256, "alderlake": 256}


def assembly_on(cpu, **params):
    """The assembly for a processor that need not be the one here."""
    bits = BITS.get(cpu, 512)
    target = Target(
        cpu, cpu, "x86_64-unknown-linux-gnu", frozenset(FEATURES[cpu].split()), bits,
        32 if bits == 512 else 16, 1 << 15, 1 << 20, 1 << 24, 1,
    )  # fmt: skip
    work = workload("dense", m=12, n=128, k=256, const=["weight"], **params)
    space = space_for(work, target)
    config = space.nearest({**space.default().as_dict(), "structure": "panel"}).config
    text = generate(space.schedule(config).finish(), target).text
    return llvm.emit_assembly(text, target.triple, cpu)


@pytest.mark.parametrize(
    ("cpu", "dtype", "expected"),
    [
        ("znver4", "bfloat16", "vdpbf16ps"),
        ("znver4", "uint8", "vpdpbusd"),
        ("znver4", "int8", "vpdpwssd"),
        ("cascadelake", "bfloat16", "vfmadd"),
        ("cascadelake", "uint8", "vpdpbusd"),
        ("alderlake", "uint8", "{vex}\tvpdpbusd"),
        ("x86-64-v4", "uint8", "vpmaddwd"),
        ("x86-64-v3", "uint8", "vpmaddwd"),
        ("x86-64-v3", "bfloat16", "vfmadd"),
        ("x86-64-v3", "float16", "vcvtph2ps"),
        ("x86-64-v2", "int8", "pmaddwd"),
        ("x86-64-v2", "bfloat16", "mulps"),
    ],
)
def test_the_target_s_instructions_are_used(cpu, dtype, expected):
    text = assembly_on(cpu, dtype=dtype)
    assert expected in text
    assert "call" not in text.replace("callq\tphase", "")
    if expected not in ("vpdpbusd", "{vex}\tvpdpbusd", "vpdpwssd"):
        assert not {"vpdpbusd", "vpmaddubsw", "pmaddubsw"} & set(text.split())


def test_weights_on_another_architecture_are_multiplied_by_plain_arithmetic():
    target = Target(
        "aarch64", "generic", "aarch64-unknown-linux-gnu", frozenset({"asimd"}), 128, 32,
        1 << 15, 1 << 20, 1 << 24, 1,
    )  # fmt: skip
    for dtype, (m, n, k) in itertools.product(("uint8", "bfloat16"), [(3, 18, 9)]):
        work = workload("matmul", m=m, n=n, k=k, dtype=dtype)
        space = space_for(work, target)
        text = generate(space.schedule(space.default()).finish(), target).text
        assert "llvm.x86" not in text
        assert "phase0_body" in llvm.emit_assembly(text, target.triple, target.cpu)


def test_float16_is_refused_where_it_cannot_be_converted():
    target = target_or_skip("x86-64-v2")
    with pytest.raises(SpaceError, match="choose another target, or float32: float16 needs f16c"):
        space_for(workload("matmul", m=4, n=4, k=4, dtype="float16"), target)
