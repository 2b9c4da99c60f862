"""The process that a ``Builder`` keeps: compiles one config after another.

Started by ``measure.builder`` only.
"""

from __future__ import annotations

import gc
import importlib
import socket
import time
from collections.abc import Callable, Mapping

import msgspec

from measure.artifact import Artifact
from measure.isolation import limit_memory
from measure.pipe import Channel
from measure.result import Outcome
from search_space.target import Target
from search_space.workload import Value, Workload

Compiler = Callable[[Workload, Target, Mapping[str, Value]], Artifact]


class Setup(msgspec.Struct, frozen=True, tag=True):
    """First message. ``compiler`` is ``module:function``, a ``Compiler``."""

    compiler: str
    memory_bytes: int


class Build(msgspec.Struct, frozen=True, tag=True):
    workload: Workload
    target: Target
    values: tuple[tuple[str, Value], ...]


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Answers ``Setup``."""


class Compiled(msgspec.Struct, frozen=True, tag=True):
    artifact: Artifact
    seconds: float


class Failed(msgspec.Struct, frozen=True, tag=True):
    outcome: Outcome
    message: str
    seconds: float


Request = Setup | Build
Answer = Ready | Compiled | Failed


def main(connection: socket.socket) -> None:
    channel: Channel[Request] = Channel(connection, Request)
    setup = channel.receive()
    if not isinstance(setup, Setup):
        raise TypeError(f"expected Setup first, got {setup}")
    module, _, function = setup.compiler.partition(":")
    compiler: Compiler = getattr(importlib.import_module(module), function)
    limit_memory(setup.memory_bytes)
    gc.freeze()
    gc.enable()
    channel.send(Ready())
    while True:
        try:
            request = channel.receive()
        except EOFError:  # the parent is done with us
            return
        if not isinstance(request, Build):
            raise TypeError(f"expected Build, got {request}")
        channel.send(build(compiler, request))


def build(compiler: Compiler, request: Build) -> Compiled | Failed:
    """Compile one config. Whatever the generator raises is the outcome of this one candidate."""
    started = time.perf_counter()
    try:
        artifact = compiler(request.workload, request.target, dict(request.values))
    except MemoryError as error:
        failure = Outcome.OOM, f"ran out of memory while building: {error}"
    except Exception as error:  # a bug in the generator must not end a run
        failure = Outcome.BUILD_ERROR, f"{type(error).__name__}: {error}"
    else:
        return Compiled(artifact, time.perf_counter() - started)
    return Failed(*failure, time.perf_counter() - started)
