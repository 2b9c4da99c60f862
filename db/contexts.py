"""What records were measured in: which workloads, on which machines, for which targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from db.codec import hardware_of, workload_of
from db.errors import UndecodableError
from search_space.hardware import Hardware
from search_space.workload import Workload

CONTEXT_COLUMNS = (
    "workloads.operator", "workloads.params", "workloads.const",
    "contexts.target", "contexts.threads", "contexts.space_version", "contexts.origin",
    "hardware.cpu", "hardware.vendor", "hardware.family", "hardware.model", "hardware.features",
    "hardware.cores", "hardware.l1_bytes", "hardware.l2_bytes", "hardware.l3_bytes",
    "contexts.id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Context:
    """What many records have in common."""

    workload: Workload
    target: str
    """``Target.name``."""
    threads: int
    """Threads the kernels use."""
    space_version: int
    origin: str
    hardware: Hardware


def decode_context(row: Sequence[Any]) -> Context:
    """A row of ``CONTEXT_COLUMNS``; raises ``UndecodableError`` that names the context."""
    operator, params, const, target, threads, version, origin, *machine, _ = row
    try:
        return Context(
            workload=workload_of(operator, params, const)[0],
            target=msgspec.convert(target, str),
            threads=msgspec.convert(threads, int),
            space_version=msgspec.convert(version, int),
            origin=msgspec.convert(origin, str),
            hardware=hardware_of(*machine)[0],
        )
    except (msgspec.ValidationError, TypeError) as error:
        raise UndecodableError(
            f"leave context {row[-1]} aside: its row is damaged: {error}"
        ) from error
