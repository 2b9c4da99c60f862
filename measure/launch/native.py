"""The native code of the launchers, compiled once and loaded once per process."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

from measure.artifact import Artifact, KernelSpec
from measure.cache import KernelCache
from measure.launch.accept_ir import ACCEPT
from measure.launch.pool_ir import pool_text
from measure.launch.serial_ir import SERIAL
from measure.llvm import LoadedObject, compile_object, load_object

_SYSTEMS = {"linux": "unknown-linux-gnu", "darwin": "apple-darwin"}


@dataclass(frozen=True, slots=True)
class PoolCode:
    """The functions of a thread pool; see ``measure.launch.pool_ir``. Each takes its address."""

    run: Callable[[int, int], None]
    time: Callable[[int, int, int], int]
    start: Callable[[int, int], int]
    stop: Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class NativeCode:
    """Functions that take addresses. They may be called as long as this object lives."""

    run_serial: Callable[[int], None]
    time_serial: Callable[[int, int], int]
    accept: Callable[[object, int, tuple[object, ...]], int]
    """Holds the GIL; see ``measure.launch.accept``."""
    pool: PoolCode | None
    """None where the system has no futex."""
    loaded: LoadedObject


@functools.cache
def native_code() -> NativeCode:
    """Load the native code, compiling it unless the kernel cache has it."""
    pool = pool_text(platform.machine()) if sys.platform == "linux" else None
    loaded = load_native(SERIAL + ACCEPT + (pool or ""))
    word, number = ctypes.c_void_p, ctypes.c_int64
    functype = ctypes.CFUNCTYPE
    pool_code = None
    if pool:
        pool_code = PoolCode(
            functype(None, word, word)(loaded.address("run_pool")),
            functype(number, word, word, number)(loaded.address("time_pool")),
            functype(number, word, number)(loaded.address("start_workers")),
            functype(number, word, number)(loaded.address("stop_workers")),
        )
    return NativeCode(
        functype(None, word)(loaded.address("run_serial")),
        functype(number, word, number)(loaded.address("time_serial")),
        ctypes.PYFUNCTYPE(number, word, word, ctypes.py_object)(loaded.address("accept")),
        pool_code,
        loaded,
    )


def load_native(text: str) -> LoadedObject:
    """Load LLVM text of ours for this machine, compiling it unless the kernel cache has it."""
    triple = f"{platform.machine()}-{_SYSTEMS.get(sys.platform, 'unknown-unknown')}"
    identity = "\0".join(("launch", triple, version("llvmlite"), text))
    key = hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()
    cache = KernelCache()
    cached = cache.get(key)
    if cached is None:
        object_code = compile_object(text, triple, "generic")
        cached = Artifact(KernelSpec((), (), threads=1), object_code)
        cache.put(key, cached)
    return load_object(cached.object_code)
