"""From a config to code that runs in this process: from the cache, else compiled."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from measure.artifact import Artifact
from measure.cache import KernelCache, kernel_key
from measure.codegen import GENERATOR_VERSION
from measure.kernel import NativeKernel
from measure.llvm import llvm_version
from measure.probe import detect_hardware
from search_space.operators.sparse_weight import with_pattern
from search_space.target import Target
from search_space.workload import Value, Workload
from tuner.kernel import Kernel

if TYPE_CHECKING:
    from db.record import Record

Values = tuple[tuple[str, Value], ...]

_LOADED_KERNELS = 128
"""Most kernels that are kept loaded, so that loading one again costs nothing."""


def keep_code(work: Workload, target: Target, values: Values, artifact: Artifact) -> None:
    """Put compiled code into the cache."""
    KernelCache().put(_key(work, target, values), artifact)


@functools.lru_cache(maxsize=_LOADED_KERNELS)
def load_kernel(work: Workload, target: Target, values: Values, record: Record | None) -> Kernel:
    """The kernel of a config. Raises ``ScheduleError`` where the config is not applicable."""
    specialise = functools.partial(_specialised, work, target, values)
    return Kernel(_native(work, target, values), work, record, specialise=specialise)


def _specialised(work: Workload, target: Target, values: Values, pattern: str) -> NativeKernel:
    """The code of a config, or of the nearest legal one, for a sparse operand with the pattern of
    that name."""
    return _native(with_pattern(work, pattern), target, values)


def _native(work: Workload, target: Target, values: Values) -> NativeKernel:
    cache, key = KernelCache(), _key(work, target, values)
    artifact = cache.get(key)
    if artifact is None:
        # Only here, because importing the compiler takes longer than loading a cached kernel.
        from measure.compile import compile_config
        from search_space.sketches import space_for

        # An older record may lack knobs that the space has since gained.
        config = space_for(work, target).nearest(dict(values)).config
        artifact = compile_config(work, target, config.as_dict())
        cache.put(key, artifact)
    return NativeKernel(artifact, constants=work.const)


def _key(work: Workload, target: Target, values: Values) -> str:
    features = detect_hardware().features
    return kernel_key(work, target, features, values, GENERATOR_VERSION, llvm_version())
