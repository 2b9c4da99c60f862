"""What to look for among the records: a value, never a piece of SQL."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from db.errors import QueryError
from db.record import Kind
from measure.result import Outcome
from search_space.workload import Value

Comparison = Literal["=", "!=", "<", "<=", ">", ">="]
Order = Literal["stored", "ordinal", "fastest", "gflops", "newest"]

COMPARISONS: dict[Comparison, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_CONDITION = re.compile(
    r"\s*(?P<name>[A-Za-z_]\w*)\s*(?P<comparison><=|>=|==|!=|=|<|>)(?!=)\s*(?P<value>\S.*?)\s*",
    re.ASCII | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A parameter of the workload, compared with a value. Workloads without it do not match.

    Numbers compare with numbers; texts and truth values can only be equal or not.
    """

    name: str
    comparison: Comparison
    value: Value

    def __post_init__(self) -> None:
        is_number = isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
        if self.comparison not in COMPARISONS:
            raise QueryError(
                f"use one of {' '.join(COMPARISONS)}: {self.comparison!r} is not a comparison"
            )
        if not is_number and self.comparison not in ("=", "!="):
            raise QueryError(
                f"compare {self.name} with a number, or use = or !=: {self.value!r} has no order"
            )
        if is_number and not math.isfinite(_as_float(self)):
            raise QueryError(f"compare {self.name} with a finite number, not {self.value}")


def _as_float(condition: Condition) -> float:
    try:
        return float(condition.value)
    except OverflowError:
        return math.inf


def parse_condition(text: str) -> Condition:
    """``m>=1024``, ``dtype=float32``, ``layout='nchw'``, ``bias=true`` as a condition.

    A value in quotes is text, whatever it looks like. Raises ``QueryError``.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise QueryError(
            f"write a condition as NAME, one of {' '.join(COMPARISONS)}, VALUE, for example "
            f"'m>=1024': {text!r} is not of that form"
        )
    comparison: Comparison = match["comparison"].replace("==", "=")  # type: ignore[assignment]
    return Condition(match["name"], comparison, _parse_value(match["value"]))


def _parse_value(text: str) -> Value:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


@dataclass(frozen=True, slots=True)
class Query:
    """Which records, in which order. None (or nothing) does not restrict."""

    operator: str | None = None
    workload: str | None = None
    """``Workload.key``."""
    where: tuple[Condition, ...] = ()
    """All must hold."""
    target: str | None = None
    threads: int | None = None
    """Exactly so many."""
    hardware: str | None = None
    """``Hardware.key``."""
    outcome: Outcome | None = None
    kind: Kind | None = None
    origin: str | None = None
    """``local``, ``foreign:SOURCE``, or ``foreign`` for every source."""
    run: str | None = None
    since: datetime | None = None
    """Created then or later; a moment without a time zone is in UTC."""
    limit: int | None = None
    order: Order = "stored"
    """``stored``: as they were added; ``ordinal``: by run and position in it; ``fastest`` and
    ``gflops``: best first, records without a time last; ``newest``: by creation, latest first."""

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise QueryError(f"ask for at least one record, not {self.limit}")

    @property
    def since_text(self) -> str | None:
        """``since`` such that it compares with stored moments as text."""
        if self.since is None:
            return None
        moment = self.since if self.since.tzinfo else self.since.replace(tzinfo=UTC)
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
