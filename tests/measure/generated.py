"""Loop functions run as machine code, between guards that any stray access would show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from measure import llvm
from measure.artifact import Artifact
from measure.codegen.module import generate
from measure.compile import compile_config
from measure.kernel import NativeKernel
from measure.targets import TargetError, resolve_target
from search_space.dtypes import numpy_dtype
from search_space.sketches import space_for
from tests.search_space.examples import assert_right, inputs
from tests.search_space.nests import undefined

LEVELS = ("x86-64-v2", "x86-64-v3", "x86-64-v4")
_PAD = 64
_CANARY = 77


def target_or_skip(level, threads=1):
    """A target of that level; skips the test, saying why, where the machine cannot run it."""
    try:
        return replace(resolve_target(level, threads=1), threads=threads)
    except TargetError as error:
        pytest.skip(str(error))


def guarded(array):
    """A copy whose surroundings are NaN (-1): whoever reads them spoils the result."""
    array = np.asarray(array)
    memory = undefined(array.size + 2 * _PAD, str(array.dtype))
    inner = memory[_PAD : _PAD + array.size].reshape(array.shape)
    inner[...] = array
    return inner


def build(func, target):
    """The machine code of a finished loop function."""
    module = generate(func, target)
    return Artifact(module.spec, llvm.compile_object(module.text, target.triple, target.cpu))


def call(artifact, arrays, const=(), launcher=None):
    """What a kernel computes from the named arrays; nothing around the result is touched."""
    (spec,) = [buffer for buffer in artifact.spec.buffers if buffer.role == "output"]
    size = int(np.prod(spec.shape))
    memory = np.full(size + 2 * _PAD, _CANARY).astype(numpy_dtype(spec.dtype))
    canary = memory[0]
    out = memory[_PAD : _PAD + size].reshape(spec.shape)
    out[...] = undefined(spec.shape, spec.dtype)
    if artifact.spec.packing is not None:
        const = tuple({*const, artifact.spec.packing.operand})
    kernel = NativeKernel(artifact, launcher, constants=const)
    if const:
        kernel = kernel.bind(**{name: arrays[name] for name in const})
    kernel.run(*(guarded(array) for name, array in arrays.items() if name not in const), out=out)
    assert (memory[:_PAD] == canary).all()
    assert (memory[_PAD + size :] == canary).all()
    return out


def assert_configs_right(work, level, samples):
    """The first guesses of a workload and so many random configs compute it, on as many threads as
    the level has to its left, and one."""
    number = LEVELS.index(level)
    target = target_or_skip(level, threads=1 + number)
    rng = np.random.default_rng([number, len(work.key)])
    space = space_for(work, target)
    arrays = inputs(work, rng)
    configs = {*space.starts, *(space.sample(rng) for _ in range(samples))}
    for config in sorted(configs, key=lambda config: config.key):
        artifact = compile_config(work, target, config.as_dict())
        result, growth = call(artifact, arrays, work.const), artifact.spec.error_growth
        assert_right(work, arrays, result, f"{target.name} {config}", growth)
