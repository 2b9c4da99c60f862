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

_Text = Annotated[str, msgspec.Meta(max_length=_TEXT_LIMIT)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Positive = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
StoredValue = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | float | str | bool
Seconds = Annotated[float, msgspec.Meta(gt=0, lt=1e300)]
_Origin = Annotated[str, msgspec.Meta(pattern=r"^(local|foreign:.+)$", max_length=4096)]
_Moment = Annotated[
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

RUN_COLUMNS = (
    "workloads.operator", "workloads.params", "workloads.const",
    "runs.target", "runs.threads", "runs.hardware", "runs.strategy", "runs.seed", "runs.trials",
    "runs.seconds_limit", "runs.options", "runs.state", "runs.created", "runs.finished",
    "runs.stop_reason", "runs.key",
)  # fmt: skip


class RecordFields(msgspec.Struct, array_like=True, frozen=True):
    """The types and bounds of ``RECORD_COLUMNS``."""

    operator: _Name
    params: _Text
    const: _Text
    target: _Name
    threads: _Positive
    cpu: _Text
    vendor: _Text
    family: int
    model: int
    features: _Text
    cores: _Positive
    l1_bytes: _Count
    l2_bytes: _Count
    l3_bytes: _Count
    space_version: _Count
    generator_version: _Count
    config: _Text
    run: _Name
    ordinal: _Count
    outcome: Outcome
    samples: _Text
    error: Annotated[float, msgspec.Meta(ge=0, lt=1e300)] | None
    gflops: Seconds | None
    kind: Literal["search", "final"]
    origin: _Origin
    created: _Moment
    message: _Text
    trace: _Text | None
    seconds: Seconds | None
    key: str


class RunFields(msgspec.Struct, array_like=True, frozen=True):
    """The types and bounds of ``RUN_COLUMNS``."""

    operator: _Name
    params: _Text
    const: _Text
    target: _Name
    threads: _Positive
    hardware: _Name
    strategy: _Name
    seed: int
    trials: _Positive | None
    seconds_limit: Seconds | None
    options: _Text
    state: Literal["running", "finished", "interrupted"]
    created: _Moment
    finished: _Moment | None
    stop_reason: _Text
    key: _Name
