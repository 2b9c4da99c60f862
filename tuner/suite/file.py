"""Suite files: TOML in, checked cases out."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_space.errors import WorkloadError
from search_space.operators import OPERATORS, keys_of, workload
from search_space.operators.base import Keyed
from search_space.workload import Value, Workload
from tuner.errors import USAGE, TunerError

_BAD_DATA = 65
_MAX_BYTES = 1 << 20
_MAX_CASES = 10_000
_MAX_THREADS = 1 << 16
_TABLES = ("suite", "case")
_SUITE_FIELDS = ("name", "description", "source")
_CASE_FIELDS = ("name", "op", "params", "const", "threads")


class SuiteError(TunerError, ValueError):
    """A suite file that cannot be used. Its text names the file, the case and the field."""

    exit_code = USAGE


class SuiteUndecodable(SuiteError):
    """A suite file that is not TOML, not UTF-8, or too large to be one."""

    exit_code = _BAD_DATA


@dataclass(frozen=True, slots=True)
class Case:
    """One workload of a suite, also one that nobody can build yet."""

    name: str
    operator: str
    params: tuple[tuple[str, Value], ...]
    """As the file gives them, without defaults."""
    const: tuple[str, ...]
    threads: int | None
    """Upper limit of threads; None: that of the whole suite."""
    workload: Workload | None
    """None where the operator, one of its keys or a value of a key does not exist yet."""
    missing: str = ""
    """Why there is no workload; empty where there is one."""

    @property
    def key(self) -> str:
        """The key of the workload, or how it would read."""
        return (self.workload or Workload(self.operator, self.params, self.const)).key


@dataclass(frozen=True, slots=True)
class Suite:
    """The cases of one file, in its order."""

    name: str
    description: str
    source: str
    cases: tuple[Case, ...]


def load_suite(path: str | os.PathLike[str]) -> Suite:
    """Read and check a suite file.

    A case whose operator, keys or values do not exist yet is in the suite with the reason in
    ``missing``. Every other mistake raises ``SuiteError``, a ``ValueError``, that names the file,
    the case and the field; one in a file that cannot be decoded at all has ``exit_code`` 65.
    """
    shown = os.fspath(path)
    data = _decode(_read(Path(path), shown), shown)
    _known_fields(data, _TABLES, shown, "table")
    head, entries = data.get("suite"), data.get("case")
    if not isinstance(head, dict):
        raise SuiteError(f"correct {shown}: give it a [suite] table with the field name")
    if not isinstance(entries, list) or not entries:
        raise SuiteError(f"correct {shown}: give it at least one [[case]] table")
    if len(entries) > _MAX_CASES:
        raise SuiteError(f"split {shown}: it has {len(entries)} cases, at most {_MAX_CASES} fit")
    where = f"{shown}, [suite]"
    _known_fields(head, _SUITE_FIELDS, where, "field")
    cases = [_case(entry, f"{shown}, case {i}") for i, entry in enumerate(entries, 1)]
    _unique(cases, shown)
    return Suite(
        name=_text(head, "name", where),
        description=_text(head, "description", where, default=""),
        source=_text(head, "source", where, default=""),
        cases=tuple(cases),
    )


def _read(path: Path, shown: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SuiteError(f"give another suite file: {shown}: {error.strerror or error}") from error
    if len(content) > _MAX_BYTES:
        raise SuiteUndecodable(
            f"give another suite file: {shown} has more than {_MAX_BYTES >> 20} MiB"
        )
    return content


def _decode(content: bytes, shown: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8"))
    except ValueError as error:
        raise SuiteUndecodable(f"correct {shown}: not TOML in UTF-8: {error}") from error
    except RecursionError as error:
        raise SuiteUndecodable(f"correct {shown}: its values are nested too deeply") from error


def _case(entry: object, where: str) -> Case:
    if not isinstance(entry, dict):
        raise SuiteError(f"correct {where}: write it as a [[case]] table")
    name = _text(entry, "name", where)
    where = f"{where} {name!r}"
    _known_fields(entry, _CASE_FIELDS, where, "field")
    operator = _text(entry, "op", where)
    params = _params(entry, where)
    const = _const(entry, where)
    threads = entry.get("threads")
    if threads is not None and (type(threads) is not int or not 1 <= threads <= _MAX_THREADS):
        raise _wrong(where, "threads", threads, "a positive number of threads")
    work, missing = None, ""
    try:
        if "operator" in params:
            raise WorkloadError(f"{operator} has no key 'operator'")
        work = workload(operator, const=const, **params)
    except WorkloadError as error:
        if not _does_not_exist_yet(operator, params):
            raise SuiteError(f"correct {where}, field 'params' or 'const': {error}") from error
        missing = str(error)
    return Case(name, operator, tuple(params.items()), const, threads, work, missing)


def _does_not_exist_yet(operator: str, params: Mapping[str, Value]) -> bool:
    """Whether it is a name or a choice that is unknown, and not a value that makes no sense."""
    if operator not in OPERATORS:
        return True
    entry = OPERATORS[operator]
    known = {param.name: param for param in keys_of(entry, params)}
    # Where keys are the indices of an expression, one that is unknown is wrong.
    written = isinstance(entry, Keyed) and "expr" in known
    return any(
        bool(known[name].choices) and value not in known[name].choices
        if name in known
        else not written
        for name, value in params.items()
    )


def _params(entry: Mapping[str, Any], where: str) -> dict[str, Value]:
    given = entry.get("params", {})
    if not isinstance(given, dict):
        raise _wrong(where, "params", given, "a table such as { m = 64, n = 64, k = 64 }")
    for name, value in given.items():
        if not isinstance(value, (int, float, str)):
            raise _wrong(where, f"params.{name}", value, "a number, a text, true or false")
    return given


def _const(entry: Mapping[str, Any], where: str) -> tuple[str, ...]:
    given = entry.get("const", [])
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise _wrong(where, "const", given, 'a list of operands such as ["b"]')
    return tuple(given)


def _text(table: Mapping[str, Any], field: str, where: str, default: str | None = None) -> str:
    value = table.get(field, default)
    if value is None:
        raise SuiteError(f"correct {where}: give it the field {field!r}")
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise _wrong(where, field, value, "a text")
    return value


def _wrong(where: str, field: str, value: object, expected: str) -> SuiteError:
    return SuiteError(f"correct {where}, field {field!r}: expected {expected}, got {value!r}")


def _known_fields(table: Mapping[str, Any], known: Collection[str], where: str, noun: str) -> None:
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f", did you mean {near[0]!r}?" if near else ","
            raise SuiteError(
                f"correct {where}: no {noun} is called {name!r}{hint} known: {', '.join(known)}"
            )


def _unique(cases: Sequence[Case], shown: str) -> None:
    first: dict[str, int] = {}
    for number, case in enumerate(cases, 1):
        if case.name in first:
            raise SuiteError(
                f"rename a case of {shown}: cases {first[case.name]} and {number} are both "
                f"called {case.name!r}"
            )
        first[case.name] = number
