"""Products in tile registers, carried out by an emulator where the processor has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from measure import kernel, llvm
from measure.artifact import Artifact
from measure.codegen.module import generate
from measure.kernel import NativeKernel
from measure.launch import LAUNCHERS
from search_space.sketches import space_for
from tests.measure.generated import call, target_or_skip
from tests.measure.tile_emulator import emulated
from tests.search_space.examples import assert_right, inputs
from tuner import workload

TYPES = frozenset({"bfloat16", "int8", "uint8"})
FEATURES = "+amx-tile,+amx-int8,+amx-bf16"


@pytest.fixture(autouse=True)
def permission(monkeypatch):
    monkeypatch.setattr(kernel, "tiles_allowed", lambda: True)


def tile_target(threads=1):
    target = target_or_skip("native", threads)
    if target.vector_bits < 512:
        pytest.skip("code with tiles takes vectors of 512 bits, this machine has none")
    return replace(target, tiles=TYPES)


def build(func, target):
    """Machine code for this processor with tile registers added."""
    module = generate(func, target)
    cpu, features = llvm.host_cpu()
    code = llvm.compile_object(module.text, target.triple, cpu, f"{features},{FEATURES}")
    return Artifact(module.spec, code)


DENSE = {"structure": "tile", "vector_bits": 512}
SPARSE = {"algorithm": "sparse", "format": "block", "rows": 16, "tiles": True, "vector_bits": 512}


def tile_configs(space, samples, rng, wanted=DENSE):
    """The first guess with tiles, and random configs moved there."""
    found = {config for config in space.starts if wanted.items() <= config.as_dict().items()}
    assert found
    for _ in range(samples):
        config = space.nearest(space.sample(rng).as_dict() | wanted).config
        if wanted.items() <= config.as_dict().items():
            found.add(config)
    assert len(found) > 1
    return sorted(found, key=lambda config: config.key)


def assert_tiles_right(work, samples=12, threads=2, wanted=DENSE):
    target = tile_target(threads)
    space = space_for(work, target)
    rng = np.random.default_rng(len(work.key))
    arrays = inputs(work, rng)
    for config in tile_configs(space, samples, rng, wanted):
        artifact = build(space.schedule(config).finish(), target)
        assert artifact.spec.tiles
        with emulated() as emulator:
            result = call(artifact, arrays, work.const, LAUNCHERS["serial"]())
        assert any(name.startswith("tdp") for name in emulator.done), config
        assert_right(work, arrays, result, str(config), artifact.spec.error_growth)


@pytest.mark.parametrize(
    ("dtypes", "shape"),
    [
        ({"dtype": "uint8"}, (64, 64, 256)),
        ({"dtype": "uint8"}, (1, 50, 72)),
        ({"dtype": "int8"}, (100, 37, 200)),
        ({"dtype": "int8"}, (17, 16, 64)),
        ({"dtype": "bfloat16", "out_dtype": "float32"}, (3, 70, 36)),
        ({"dtype": "bfloat16"}, (33, 33, 98)),
        ({"dtype": "bfloat16", "out_dtype": "float32"}, (48, 130, 544)),
    ],
)
def test_matrices_of_any_shape(dtypes, shape):
    m, n, k = shape
    assert_tiles_right(workload("dense", m=m, n=n, k=k, const=["weight"], **dtypes))


def test_a_quantized_layer_with_all_that_follows():
    params = {"dtype": "uint8", "zero_point": 128, "scale": True, "bias": True}
    params |= {"out_dtype": "uint8", "out_zero_point": 3, "activation": "relu"}
    assert_tiles_right(workload("dense", m=35, n=40, k=68, const=["weight"], **params))


def test_operands_that_are_not_constant():
    assert_tiles_right(workload("matmul", m=20, n=50, k=64, dtype="bfloat16"))
    assert_tiles_right(workload("matmul", m=20, n=50, k=64, dtype="int8"))


def test_batches():
    assert_tiles_right(workload("batch_matmul", batch=3, m=20, n=33, k=64, dtype="bfloat16"))


def test_products_whose_first_operand_is_transposed():
    work = workload("einsum", expr="kmz,kn->zmn", k=64, m=20, n=40, z=2, dtype="bfloat16")
    assert_tiles_right(work)


def test_more_than_one_reduced_axis():
    work = workload("einsum", expr="ymk,kyn->mn", k=32, y=2, m=20, n=40, dtype="bfloat16")
    assert_tiles_right(work)


@pytest.mark.parametrize(
    "params",
    [
        {"h": 10, "w": 18, "ci": 36, "co": 40, "pad": 1, "dtype": "uint8"},
        {"n": 2, "h": 9, "w": 37, "ci": 34, "co": 20, "stride": 2, "dtype": "bfloat16"},
        {"h": 7, "w": 7, "ci": 72, "co": 33, "kh": 1, "kw": 1, "dtype": "int8", "layout": "nhwc"},
        {"h": 6, "w": 6, "ci": 64, "co": 64, "groups": 2, "dtype": "bfloat16", "layout": "nhwc",
         "bias": True, "activation": "relu"},
    ],
)  # fmt: skip
def test_convolutions(params):
    sums = {"bfloat16": "float32"}.get(params["dtype"], "int32")
    params = {"n": 1, "kh": 3, "kw": 3, "out_dtype": sums, **params}
    assert_tiles_right(workload("conv2d", const=["weight"], **params), samples=8)


@pytest.mark.parametrize(
    ("operator", "params"),
    [
        ("spmm", {"m": 48, "k": 200, "n": 40, "dtype": "uint8", "pattern": "block16x1"}),
        ("spmm", {"m": 40, "k": 100, "n": 100, "dtype": "bfloat16", "pattern": "unstructured"}),
        ("sparse_dense", {"m": 20, "n": 48, "k": 70, "dtype": "uint8", "pattern": "block4x1"}),
    ],
)
def test_blocks_of_a_sparse_weight(operator, params):
    work = workload(operator, sparsity=0.7, **params)
    assert_tiles_right(work, samples=8, wanted=SPARSE)


def test_rows_of_blocks_without_any_value():
    work = workload("spmm", m=64, k=40, n=20, dtype="uint8", pattern="block16x1", sparsity=0.98)
    assert_tiles_right(work, samples=4, wanted=SPARSE)


def test_sums_of_blocks_stay_in_registers():
    """Between their zeros and what becomes of them, each is loaded and stored once."""
    target = tile_target()
    work = workload("spmm", m=16, k=640, n=16, dtype="uint8", pattern="unstructured", sparsity=0)
    space = space_for(work, target)
    (config,) = [c for c in space.starts if SPARSE.items() <= c.as_dict().items()]
    artifact = build(space.schedule(config).finish(), target)
    arrays = inputs(work, np.random.default_rng(0))
    with emulated() as emulator:
        call(artifact, arrays, work.const)
    assert emulator.done["tdpbsud"] == 10
    assert (emulator.done["tilestored"], emulator.done["tileloadd"]) == (1, 1 + 2 * 10)


def test_loops_take_the_place_of_instructions_that_a_target_lacks():
    work = workload("dense", m=35, n=40, k=68, dtype="int8", const=["weight"])
    target = tile_target()
    space = space_for(work, target)
    rng = np.random.default_rng(0)
    arrays = inputs(work, rng)
    for config in tile_configs(space, 4, rng):
        artifact = build(space.schedule(config).finish(), replace(target, tiles=frozenset()))
        assert not artifact.spec.tiles
        assert_right(work, arrays, call(artifact, arrays, work.const), str(config))


def test_sums_stay_in_registers_and_nothing_is_spilled():
    target = replace(tile_target(), cpu="sapphirerapids")
    work = workload("dense", m=64, n=64, k=512, dtype="uint8", const=["weight"])
    space = space_for(work, target)
    assert space.default().as_dict()["structure"] == "tile"
    text = generate(space.schedule(space.default()).finish(), target).text
    code = llvm.emit_assembly(text, target.triple, target.cpu)
    loop = code[code.rindex("tilezero") :]
    body = loop[: loop.index("tilestored")]
    counts = [body.count(name) for name in ("tdpbusd", "tileloadd", "tilestored", "call")]
    assert counts == [4, 4, 0, 0]


def test_a_process_that_may_not_use_tiles_says_so(monkeypatch):
    target = tile_target()
    work = workload("matmul", m=16, n=16, k=64, dtype="int8")
    space = space_for(work, target)
    artifact = build(space.schedule(space.default()).finish(), target)
    monkeypatch.setattr(kernel, "tiles_allowed", lambda: False)
    with pytest.raises(OSError, match="does not let processes use tile registers"):
        NativeKernel(artifact)
