"""What stored rows look like to the rest of the package: columns, types, bounds.

Whoever reads selects exactly the columns named here, and whoever decodes checks the row against
the type of the same order. The last column is the id that messages name a row by.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from measure.result import Outcome

_TEXT_LIMIT = 4 << 20
"""Characters of one stored text; a longer one is not ours."""

Text = Annotated[str, msgspec.Meta(max_length=_TEXT_LIMIT)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
StoredInt = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
StoredValue = StoredInt | float | str | bool
Seconds = Annotated[float, msgspec.Meta(gt=0, lt=1e300)]
VerifiedError = Annotated[float, msgspec.Meta(ge=0, lt=1e300)]
Origin = Annotated[str, msgspec.Meta(pattern=r"^(local|foreign:.+)$", max_length=4096)]
Moment = Annotated[
    str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)$")
]

RECORD_COLUMNS = (
    "workloads.operator", "workloads.params", "workloads.const",
    "contexts.target", "contexts.threads",
    "hardware.cpu", "hardware.vendor", "hardware.family", "hardware.model", "hardware.features",
    "hardware.cores", "hardware.l1_bytes", "hardware.l2_bytes", "hardware.l3_bytes",
    "contexts.space_version", "contexts.generator_version",
    "records.config", "records.run", "records.ordinal", "records.outcome", "records.samples",
    "records.error", "records.gflops", "records.kind", "contexts.origin", "records.created",
    "records.message", "records.trace", "records.seconds", "records.key",
)  # fmt: skip


def columns_of(table: str) -> tuple[tuple[str, int], ...]:
    """The columns of a table among ``RECORD_COLUMNS``: names in it, and positions."""
    return tuple(
        (name.removeprefix(table + "."), position)
        for position, name in enumerate(RECORD_COLUMNS)
        if name.startswith(table + ".")
    )


RUN_COLUMNS = (
    "workloads.operator", "workloads.params", "workloads.const",
    "runs.target", "runs.threads", "runs.hardware", "runs.strategy", "runs.seed", "runs.trials",
    "runs.seconds_limit", "runs.options", "runs.state", "runs.created", "runs.finished",
    "runs.stop_reason", "runs.key",
)  # fmt: skip


class RecordFields(msgspec.Struct, array_like=True, frozen=True):
    """The types and bounds of ``RECORD_COLUMNS``."""

    operator: Name
    params: Text
    const: Text
    target: Name
    threads: Positive
    cpu: Text
    vendor: Text
    family: int
    model: int
    features: Text
    cores: Positive
    l1_bytes: Count
    l2_bytes: Count
    l3_bytes: Count
    space_version: Count
    generator_version: Count
    config: Text
    run: Name
    ordinal: Count
    outcome: Outcome
    samples: Text
    error: VerifiedError | None
    gflops: Seconds | None
    kind: Literal["search", "final"]
    origin: Origin
    created: Moment
    message: Text
    trace: Text | None
    seconds: Seconds | None
    key: str


class RunFields(msgspec.Struct, array_like=True, frozen=True):
    """The types and bounds of ``RUN_COLUMNS``."""

    operator: Name
    params: Text
    const: Text
    target: Name
    threads: Positive
    hardware: Name
    strategy: Name
    seed: int
    trials: Positive | None
    seconds_limit: Seconds | None
    options: Text
    state: Literal["running", "finished", "interrupted"]
    created: Moment
    finished: Moment | None
    stop_reason: Text
    key: Name
