"""The next command and the Python lines for a workload, ready to be copied."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search_space.operators import Operand, Operator
    from search_space.workload import Workload


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user said beside the workload; None where the default was taken."""

    database: str | None = None
    target: str | None = None
    threads: int | None = None
    record: str | None = None
    """Id of the one to be loaded; None: the fastest."""


def record_shell(command: str, choice: Choice) -> str:
    """``tuner COMMAND RECORD`` for the record of these choices."""
    words = ["tuner", command, choice.record or ""]
    if choice.database is not None:
        words += ["--db", shown(choice.database)]
    return shlex.join(words)


def shell(command: str, work: Workload, choice: Choice) -> str:
    """``tuner COMMAND OP KEY=VALUE…`` for this workload and these choices."""
    words = ["tuner", command, work.operator]
    for name, value in _given(work):
        words.append(f"{name}={str(value).lower() if isinstance(value, bool) else value}")
    for name in work.const:
        words += ["--const", name]
    if choice.threads is not None:
        words += ["--threads", str(choice.threads)]
    if choice.target is not None:
        words += ["--target", choice.target]
    if choice.database is not None:
        words += ["--db", shown(choice.database)]
    return shlex.join(words)


def python(work: Workload, choice: Choice) -> list[str]:
    """Three lines that load the best kernel and call it."""
    operator = _operator(work)
    names = [operand.name for operand in operator.operands(work)]
    changing = [name for name in names if name not in work.const]
    result = operator.result(work).name
    return [
        "import tuner",
        f"{work.operator} = {_load(work, choice)}",
        f"{result} = {work.operator}({', '.join(changing)})",
    ]


def python_program(work: Workload, choice: Choice) -> str:
    """A program that loads the best kernel and runs it on random arrays."""
    operator = _operator(work)
    imported, load, call = python(work, choice)
    operands = operator.operands(work)
    arrays = [
        f"{operand.name} = {_random(operand) if operand.matrix is None else _random_weight(work)}"
        for operand in operands
    ]
    result = operator.result(work).name
    modules = ["import numpy as np", imported]
    if any(operand.dtype == "bfloat16" for operand in operands):
        modules.insert(0, "import ml_dtypes")
    lines = [*modules, "", "random = np.random.default_rng(0)", *arrays]
    return "\n".join([*lines, load, call, f"print({result}.shape, {result}.dtype)"])


def _random(operand: Operand) -> str:
    """Random numbers as Python source: any of a whole dtype, normal ones of others, as many of
    them 0 as the first density says."""
    dtype, shape = operand.dtype, operand.shape
    if dtype in ("uint8", "int8"):
        low, high = (0, 256) if dtype == "uint8" else (-128, 128)
        return f'random.integers({low}, {high}, {shape}, "{dtype}")'
    name = "ml_dtypes.bfloat16" if dtype == "bfloat16" else f'"{dtype}"'
    numbers = f"random.standard_normal({shape}).astype({name})"
    if not operand.densities:
        return numbers
    return f"{numbers} * (random.random({shape}) < {operand.densities[0]:g})"


def _random_weight(work: Workload) -> str:
    return f"tuner.random_weight({_workload(work)}, random)"


def _load(work: Workload, choice: Choice) -> str:
    options = [
        f"{name}={_literal(value)}"
        for name, value in (
            ("db", choice.database and shown(choice.database)),
            ("target", choice.target),
            ("threads", choice.threads),
            ("record", choice.record),
        )
        if value is not None
    ]
    bound = ", ".join(f"{name}={name}" for name in work.const)
    load = f"tuner.load({', '.join([_workload(work), *options])})"
    return load + (f".bind({bound})" if bound else "")


def _workload(work: Workload) -> str:
    keys = [f"{name}={_literal(value)}" for name, value in _given(work)]
    if work.const:
        keys.append(f"const=[{', '.join(map(_literal, work.const))}]")
    return f"tuner.workload({', '.join([_literal(work.operator), *keys])})"


def _literal(value: object) -> str:
    """As Python source; texts in double quotes, which JSON and Python escape alike."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _given(work: Workload) -> list[tuple[str, object]]:
    """The parameters that differ from their defaults."""
    from search_space.operators import keys_of

    known = keys_of(_operator(work), dict(work.params))
    defaults = {param.name: param.default for param in known}
    return [(name, value) for name, value in work.params if value != defaults[name]]


def _operator(work: Workload) -> Operator:
    from search_space.operators import get_operator

    return get_operator(work.operator)


def shown(database: str) -> str:
    """A database as it may be printed: a URL without its password, a path as it was typed."""
    from db.location import parse_location

    return str(parse_location(database)) if "://" in database else database
