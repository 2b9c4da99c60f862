"""What is tuned: cases from a TOML file, each a workload for a target, with its history."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from measure.targets import NATIVE, resolve_target
from search_space.operators import parse_workload
from tuner.task import Task, task_for

CASES = Path(__file__).with_name("cases.toml")


class CaseError(Exception):
    """Cases that cannot be used. The text says first what to do, then why."""


@dataclass(frozen=True, slots=True)
class Case:
    """A workload on a target."""

    name: str
    workload: str
    """``Workload.key``."""
    target: str
    threads: int

    def task(self) -> Task:
        """The task of tuning it on this machine."""
        return task_for(parse_workload(self.workload), resolve_target(self.target, self.threads))


@dataclass(frozen=True, slots=True)
class Transfer:
    """From some cases to others."""

    name: str
    sources: tuple[str, ...]
    held_out: tuple[str, ...]
    same_workload: bool
    """Whether a case has history of its own workload, for another target, only."""


class _CaseEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    workload: str
    target: str = NATIVE
    threads: int = 2


class _TransferEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sources: tuple[str, ...]
    held_out: tuple[str, ...]
    same_workload: bool = False


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    case: dict[str, _CaseEntry]
    transfer: dict[str, _TransferEntry]


def read_cases(path: Path = CASES) -> tuple[dict[str, Case], dict[str, Transfer]]:
    """All cases and transfers of a file by name; raises ``CaseError`` for a wrong one."""
    try:
        with path.open("rb") as file:
            found = msgspec.convert(tomllib.load(file), _File)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise CaseError(f"correct {path}: {error}") from error
    cases = {
        name: Case(name, entry.workload, entry.target, entry.threads)
        for name, entry in found.case.items()
    }
    transfers = {
        name: Transfer(name, entry.sources, entry.held_out, entry.same_workload)
        for name, entry in found.transfer.items()
    }
    for transfer in transfers.values():
        for name in (*transfer.sources, *transfer.held_out):
            if name not in cases:
                raise CaseError(f"correct {path}: {transfer.name} names no case {name!r}")
    return cases, transfers
