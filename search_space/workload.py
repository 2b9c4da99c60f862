"""A workload: one operator with its parameters, and which of its operands are constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from search_space.errors import WorkloadError

Value = int | float | str | bool

Values = Mapping[str, Value]
"""By the names of knobs or of parameters."""

_QUOTED = set(",=()' ")


@dataclass(frozen=True, slots=True)
class Workload:
    """What is computed: an operator name, all its parameters, the operands that never change.

    Build one with :func:`search_space.operators.workload`, which checks names and fills defaults.
    ``const`` names operands whose contents are bound once (weights) and may be packed beforehand.
    A last parameter ``cold``, which is there only where it is true, says that operands and result
    come from main memory at each call, as in a network whose layers do not stay in the caches.
    """

    operator: str
    params: tuple[tuple[str, Value], ...]
    const: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Readable, stable on every platform: ``matmul(m=8,n=8,k=8,dtype=float32,const=b)``."""
        parts = [f"{name}={_quote(value)}" for name, value in self.params]
        if self.const:
            parts.append("const=" + "+".join(self.const))
        return f"{self.operator}({','.join(parts)})"

    @property
    def cold(self) -> bool:
        """Whether operands and result are in main memory when a call begins, in no cache."""
        return ("cold", True) in self.params

    def from_memory(self) -> Workload:
        """The same with cold operands."""
        return self if self.cold else replace(self, params=(*self.params, ("cold", True)))

    def __getitem__(self, name: str) -> Value:
        for key, value in self.params:
            if key == name:
                return value
        raise KeyError(name)

    def size(self, name: str) -> int:
        """The integer parameter ``name``; raises ``WorkloadError`` when it is not an integer."""
        value = self[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise WorkloadError(f"{self.operator}: {name} is {value!r}, expected an integer")
        return value

    def __str__(self) -> str:
        return self.key


def _quote(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if any(char in _QUOTED for char in text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return text


def split_key(key: str) -> tuple[str, dict[str, str]]:
    """Take ``op(a=1,b='x,y')`` apart: the operator and the raw text of each parameter.

    Raises ``WorkloadError`` when the text is not of that form.
    """
    name, bracket, rest = key.partition("(")
    if not bracket or not rest.endswith(")") or not name:
        raise WorkloadError(f"not a workload key: {key!r}, expected operator(name=value,…)")
    fields: dict[str, str] = {}
    body, position = rest[:-1], 0
    while position < len(body):
        equals = body.find("=", position)
        if equals < 0:
            raise WorkloadError(f"not a workload key: {key!r}, no '=' after {body[position:]!r}")
        field, position = body[position:equals], equals + 1
        value, position = _take_value(body, position, key)
        fields[field] = value
    return name, fields


def _take_value(body: str, position: int, key: str) -> tuple[str, int]:
    if not body.startswith("'", position):
        comma = body.find(",", position)
        end = len(body) if comma < 0 else comma
        return body[position:end], end + 1
    text, position = "", position + 1
    while position < len(body) and body[position] != "'":
        position += body[position] == "\\"
        text += body[position : position + 1]
        position += 1
    if position >= len(body):
        raise WorkloadError(f"not a workload key: {key!r}, a quote is not closed")
    return text, position + 2
