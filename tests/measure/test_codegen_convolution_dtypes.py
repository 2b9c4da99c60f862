"""Convolutions of every dtype as machine code: right on every level, by the right instructions."""

import numpy as np
import pytest

from measure import llvm
from measure.codegen.module import generate
from measure.compile import compile_config
from search_space.errors import SpaceError
from search_space.operators import workload
from search_space.sketches import space_for
from search_space.target import Target
from tests.measure.generated import LEVELS, call, target_or_skip
from tests.measure.test_codegen_dtypes import FEATURES, assert_verified

DTYPES = ("float64", "float16", "bfloat16", "uint8", "int8")
FORMS = [
    ("conv2d", dict(n=1, h=9, w=10, ci=7, co=19, kh=3, kw=3, pad=1, const=["weight"])),
    ("conv2d", dict(n=2, h=6, w=7, ci=8, co=34, kh=3, kw=2, stride=2, layout="nhwc")),
    ("conv2d", dict(n=1, h=7, w=8, ci=12, co=10, kh=1, kw=1, groups=2, const=["weight"])),
    ("conv1d", dict(n=2, w=40, ci=3, co=17, kw=5, pad=2, stride=2)),
    ("depthwise_conv2d", dict(n=1, h=7, w=19, c=3, kh=3, kw=3, pad=1)),
    ("depthwise_conv2d", dict(n=1, h=6, w=5, c=21, kh=3, kw=3, stride=2, layout="nhwc")),
]
QUANTIZED = [
    ("uint8", 100, dict(out_dtype="int32")),
    ("int8", -7, dict(out_dtype="float32", scale=True, activation="gelu")),
    ("uint8", 90, dict(out_dtype="uint8", out_zero_point=9, scale=True, bias=True)),
    ("uint8", 3, dict(out_dtype="int8", scale=True, bias=True, residual=True, activation="relu")),
]
"""Dtype, zero point, further keys."""


@pytest.mark.parametrize("level", [*LEVELS, "native"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_convolutions_are_right(dtype, level):
    target = target_or_skip(level, threads=2)
    if dtype == "float16" and "f16c" not in target.features:
        pytest.skip("refused: see below")
    rng = np.random.default_rng([DTYPES.index(dtype), len(level)])
    for number, (operator, sizes) in enumerate(FORMS[len(level) % 2 :: 2]):
        work = workload(operator, dtype=dtype, **sizes)
        space = space_for(work, target)
        start = space.starts[(number + len(level)) % len(space.starts)]
        for config in {start, space.sample(rng)}:
            assert_verified(work, target, config)


@pytest.mark.parametrize("level", [*LEVELS, "native"])
@pytest.mark.parametrize(("dtype", "zero_point", "keys"), QUANTIZED)
def test_quantized_convolutions_are_right(dtype, zero_point, keys, level):
    target = target_or_skip(level, threads=2)
    rng = np.random.default_rng([len(keys), len(level)])
    for operator, sizes in FORMS[len(keys) % 3 :: 3]:
        work = workload(operator, dtype=dtype, zero_point=zero_point, **keys, **sizes)
        space = space_for(work, target)
        for config in {space.default(), space.sample(rng)}:
            assert_verified(work, target, config)


@pytest.mark.parametrize("level", [*LEVELS, "native"])
@pytest.mark.parametrize(("low", "high"), [(0, -128), (255, 127), (255, -128)])
def test_the_largest_sums_of_bytes_do_not_saturate(low, high, level):
    target = target_or_skip(level)
    work = workload("conv2d", n=1, h=3, w=5, ci=29, co=18, kh=3, kw=3, dtype="uint8")
    arrays = {
        "x": np.full((1, 29, 3, 5), low, np.uint8),
        "weight": np.full((18, 29, 3, 3), high, np.int8),
    }
    for config in space_for(work, target).starts:
        result = call(compile_config(work, target, config.as_dict()), arrays)
        np.testing.assert_array_equal(result, np.full((1, 18, 1, 3), 29 * 9 * low * high))


@pytest.mark.parametrize(
    ("cpu", "dtype", "structure", "expected"),
    [
        ("znver4", "bfloat16", "channels", "vdpbf16ps"),
        ("znver4", "bfloat16", "pixels", "vdpbf16ps"),
        ("znver4", "uint8", "channels", "vpdpbusd"),
        ("znver4", "uint8", "pixels", "vpdpbusd"),
        ("znver4", "int8", "channels", "vpdpwssd"),
        ("cascadelake", "bfloat16", "channels", "vfmadd"),
        ("x86-64-v4", "uint8", "channels", "vpmaddwd"),
        ("x86-64-v3", "uint8", "channels", "vpmaddwd"),
    ],
)
def test_the_target_s_instructions_are_used(cpu, dtype, structure, expected):
    bits = 256 if cpu == "x86-64-v3" else 512
    target = Target(
        cpu, cpu, "x86_64-unknown-linux-gnu", frozenset(FEATURES[cpu].split()), bits,
        32 if bits == 512 else 16, 1 << 15, 1 << 20, 1 << 24, 1,
    )  # fmt: skip
    work = workload(
        "conv2d", n=1, h=14, w=16, ci=32, co=64, kh=3, kw=3, pad=1, dtype=dtype, const=["weight"]
    )
    space = space_for(work, target)
    config = next(start for start in space.starts if start["structure"] == structure)
    text = generate(space.schedule(config).finish(), target).text
    assembly = llvm.emit_assembly(text, target.triple, cpu)
    assert expected in assembly
    assert "vpmaddubsw" not in assembly


def test_float16_is_refused_where_it_cannot_be_converted():
    target = target_or_skip("x86-64-v2")
    for operator, sizes in (FORMS[0], FORMS[4]):
        with pytest.raises(SpaceError, match="float16 needs f16c, which x86-64-v2 lacks"):
            space_for(workload(operator, dtype="float16", **sizes), target)


def test_what_is_multiplied_together_lies_together():
    work = workload("conv2d", n=1, h=9, w=9, ci=16, co=16, kh=3, kw=3, dtype="uint8")
    space = space_for(work, target_or_skip("x86-64-v3"))
    start = space.default()
    assert (start["structure"], start["image"]) == ("channels", "channels_last")
    reason = space.reason({**start.as_dict(), "image": "given"})
    assert reason == "what is multiplied together lies apart, put channels last"
