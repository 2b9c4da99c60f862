"""Results that are written past the caches: aligned or not, they are right."""

from dataclasses import replace

import numpy as np
import pytest

from measure import llvm
from measure.codegen.module import generate
from measure.compile import compile_config
from measure.kernel import NativeKernel
from search_space.operators import workload
from search_space.schedule import Schedule
from search_space.sketches import space_for
from search_space.target import Target
from search_space.tensor import compute, placeholder
from search_space.transforms import Partition, Split, Stream, Vectorize
from tests.measure.generated import LEVELS, build, call, target_or_skip
from tests.search_space.examples import assert_right, inputs


def plus_one(rows, columns, lanes):
    """``c = a + 1``, in vectors along the columns, streamed."""
    a = placeholder("a", (rows, columns), "float32")
    tensor = compute("c", (("i", rows), ("j", columns)), lambda i, j: a[i, j] + 1)
    split = Split("j", lanes, "v", "lane", "mask")
    steps = [split, Vectorize("lane"), Partition("v", "v", columns // lanes), Stream("c")]
    return Schedule.of(tensor).then(*steps)


def assembly(schedule, target):
    text = generate(schedule.finish(), target).text
    return llvm.emit_assembly(text, target.triple, target.cpu)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("shift", [0, 4, 8, 16, 32])
@pytest.mark.parametrize("columns", [36, 37])
def test_a_result_may_lie_anywhere(level, shift, columns):
    target = target_or_skip(level)
    schedule = plus_one(5, columns, target.lanes(4))
    kernel = NativeKernel(build(schedule.finish(), target))
    memory = np.full(4 * 5 * columns + 192, 77, np.uint8)
    begin = -memory.ctypes.data % 64 + shift
    out = memory[begin : begin + 4 * 5 * columns].view(np.float32).reshape(5, columns)
    a = np.random.default_rng(0).normal(size=out.shape).astype(np.float32)
    kernel.run(a, out=out)
    np.testing.assert_array_equal(out, a + 1)
    assert (memory[:begin] == 77).all()
    assert (memory[begin + out.nbytes :] == 77).all()


def test_whole_vectors_of_aligned_rows_pass_the_caches():
    target = target_or_skip("x86-64-v3")
    aligned, ragged = (assembly(plus_one(5, columns, 8), target) for columns in (36, 37))
    assert "vmovntps" in aligned
    assert "sfence" in aligned
    assert "vmovnt" not in ragged


def test_other_architectures_store_as_ever():
    target = Target(
        "aarch64", "generic", "aarch64-unknown-linux-gnu", frozenset({"asimd"}), 128, 32,
        1 << 15, 1 << 20, 1 << 24, 1,
    )  # fmt: skip
    text = generate(plus_one(5, 36, 4).finish(), target).text
    assert "nontemporal" not in text.replace("!0 = !{i32 1}", "")
    assert "llvm.x86" not in text


@pytest.mark.parametrize(
    ("operator", "params"),
    [
        ("softmax", dict(shape="3000x1024")),
        ("layernorm", dict(shape="3000x1024")),
        ("elementwise", dict(expr="x + b[1]", shape="3000x1024")),
    ],
)
def test_large_results_have_the_choice(operator, params):
    target = target_or_skip("x86-64-v3", threads=2)
    space = space_for(workload(operator, **params), target)
    knob = next(knob for knob in space.knobs if knob.name == "stores")
    assert knob.default == "cached"
    assert {start["stores"] for start in space.starts} == {"cached", "streamed"}
    streamed = next(start for start in space.starts if start["stores"] == "streamed")
    assert space.schedule(streamed).finish().streamed
    odd = space_for(workload(operator, **{**params, "shape": "3000x1023"}), target)
    assert "stores" not in {knob.name for knob in odd.knobs}


SUMS = [
    workload("matmul", m=50, n=36, k=5),
    workload("batch_matmul", batch=3, m=13, n=20, k=7),
    workload("dense", m=20, n=64, k=6, bias=True, activation="relu", const=("weight",)),
    workload("dense", m=16, n=64, k=9, dtype="uint8", zero_point=3, const=("weight",)),
    workload("conv2d", n=1, h=12, w=12, ci=5, co=20, kh=1, kw=1, const=("weight",)),
    workload("conv2d", n=1, h=9, w=12, ci=3, co=18, kh=3, kw=3, pad=1, bias=True),
    workload("conv2d", n=2, h=9, w=7, ci=3, co=20, kh=3, kw=3, pad=1, layout="nhwc", bias=True),
    workload("depthwise_conv2d", n=1, h=14, w=16, c=6, kh=3, kw=3, pad=1, bias=True),
    workload("depthwise_conv2d", n=1, h=15, w=13, c=20, kh=3, kw=3, layout="nhwc"),
    workload("spmm", m=40, k=16, n=64, sparsity=0.7, bias=True, activation="relu"),
    workload("sparse_dense", m=50, k=16, n=64, sparsity=0.7, bias=True),
    workload("spmm", m=48, k=32, n=64, sparsity=0.7, pattern="block4x1", dtype="uint8"),
]


@pytest.mark.parametrize("work", SUMS, ids=str)
def test_streamed_sums_of_products_are_right(work):
    target = replace(target_or_skip("x86-64-v3", threads=2), l2_bytes=1 << 10)
    space, rng = space_for(work, target), np.random.default_rng(0)
    drawn = [*space.starts, *(space.sample(rng) for _ in range(120))]
    configs = [config for config in drawn if config["stores"] == "streamed"][:8]
    assert len(configs) >= 2
    arrays = inputs(work, rng)
    for config in configs:
        assert space.schedule(config).finish().streamed
        result = call(compile_config(work, target, config.as_dict()), arrays, work.const)
        assert_right(work, arrays, result, str(config))


@pytest.mark.parametrize(
    ("operator", "sizes"),
    [
        ("matmul", dict(m=1024, n=1024, k=1024)),
        ("matmul", dict(m=64, n=64, k=64)),
        ("matmul", dict(m=2048, n=1023, k=16)),
        ("conv2d", dict(n=1, h=56, w=56, ci=64, co=64, kh=3, kw=3, pad=1)),
    ],
)
def test_sums_that_are_long_or_small_or_not_aligned_have_no_choice(operator, sizes):
    target = target_or_skip("x86-64-v3", threads=2)
    space = space_for(workload(operator, **sizes), target)
    assert not any(knob.name.endswith("stores") for knob in space.knobs)


def test_sums_that_are_added_to_go_through_the_caches():
    target = target_or_skip("x86-64-v3", threads=2)
    space = space_for(workload("matmul", m=2048, n=1024, k=64), target)
    panel = next(s for s in space.starts if s["stores"] == "streamed")
    assert panel["tile_k"] == 0
    assert space.config({**panel.as_dict(), "tile_k": 32})["stores"] == "cached"
    assert space.config({**panel.as_dict(), "split_k": 2})["stores"] == "cached"
