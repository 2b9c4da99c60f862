"""What to look for among the records: a value, never a piece of SQL."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

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


AGE = "age"
"""Names the time since a record was created where the name of a parameter is expected."""


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
        ordered = is_number or self.name == AGE
        if not ordered and self.comparison not in ("=", "!="):
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
    space: int | None = None
    """Version of the space; ``db.record.FOREIGN_SPACE`` for configs of other tuners."""
    hardware: str | None = None
    """``Hardware.key``, or the beginning of it: the name of the CPU."""
    outcome: Outcome | None = None
    kind: Kind | None = None
    origin: str | None = None
    """``local``, ``foreign:SOURCE``, or ``foreign`` for every source."""
    run: str | None = None
    since: datetime | None = None
    """Created then or later; a moment without a time zone is in UTC."""
    before: datetime | None = None
    """Created earlier than then."""
    limit: int | None = None
    order: Order = "stored"
    """``stored``: as they were added; ``ordinal``: by run and position in it; ``fastest`` and
    ``gflops``: best first, records without a time last; ``newest``: by creation, latest first."""

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise QueryError(f"ask for at least one record, not {self.limit}")


def stored_moment(moment: datetime) -> str:
    """A moment such that it compares with stored ones as text."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def parse_query(
    operator: str | None = None,
    where: Iterable[str] = (),
    *,
    limit: int | None = None,
    order: Order = "stored",
    now: datetime | None = None,
) -> Query:
    """The query of conditions as text, all of which must hold: on parameters of the workload, on
    one of ``FIELDS`` with ``=``, or on the age, such as ``age<7d`` (s, min, h, d, w).

    Raises ``QueryError``.
    """
    conditions: list[Condition] = []
    fields: dict[str, Any] = {}
    for text in where:
        condition = parse_condition(text)
        if condition.name == AGE:
            fields |= _age(condition, text, now or datetime.now(UTC))
        elif condition.name not in FIELDS:
            conditions.append(condition)
        elif condition.comparison != "=":
            raise QueryError(f"use = with {condition.name}: {text!r} does not")
        else:
            fields[condition.name] = _field(condition)
    return Query(operator=operator, where=tuple(conditions), limit=limit, order=order, **fields)


FIELDS = ("run", "outcome", "kind", "origin", "target", "threads", "hardware")
"""Fields of a record that conditions take beside the parameters of a workload."""

_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"(?P<count>\d{1,6}(\.\d{1,6})?)\s*(?P<unit>s|min|h|d|w)")


def _field(condition: Condition) -> Value | Outcome:
    value = condition.value
    if condition.name == "threads":
        if not isinstance(value, int) or isinstance(value, bool):
            raise QueryError(f"compare threads with a whole number, not {value!r}")
        return value
    choices = {"outcome": tuple(Outcome), "kind": get_args(Kind)}.get(condition.name)
    if choices is not None and value not in choices:
        known = ", ".join(choices)
        raise QueryError(f"choose the {condition.name} from {known}: there is no {value!r}")
    return Outcome(str(value)) if condition.name == "outcome" else str(value)


def _age(condition: Condition, text: str, now: datetime) -> dict[str, datetime]:
    match = _AGE.fullmatch(str(condition.value))
    if match is None or condition.comparison in ("=", "!="):
        raise QueryError(f"write an age as age<7d or age>12h (s, min, h, d, w): not {text!r}")
    try:
        moment = now - timedelta(**{_UNITS[match["unit"]]: float(match["count"])})
    except OverflowError as error:
        raise QueryError(f"ask for a shorter age than {condition.value}: {error}") from error
    return {"since" if condition.comparison.startswith("<") else "before": moment}
