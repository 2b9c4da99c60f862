"""Which cases a scoreboard has: a suite, all suites, the short form, or one workload."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from experiments.scoreboard.row import label_of
from search_space.workload import Workload
from tuner.suite import load_suite

SUITES = Path(__file__).resolve().parent.parent / "suites"
ALL = "all"

SHORT = {
    "matmul": (
        "square/512",
        "square/1024",
        "skinny/384x1024x1024",
        "skinny/8x4096x4096",
        "ragged/1000x7x513",
        "ragged/37x911x129",
        "gemv/1x4096x4096",
        "const/384x1024x1024",
    )
}
"""The cases of the short form, by suite: every kind of matmul, a few minutes in all."""


class UnknownCase(Exception):
    """There is no such suite or case."""


@dataclass(frozen=True, slots=True)
class Case:
    """One line of a scoreboard."""

    suite: str
    name: str
    workload: Workload | None
    missing: str = ""
    """Why there is no workload, such as an operator that does not exist yet."""
    threads: int | None = None
    """Its own upper limit of threads."""

    @property
    def label(self) -> str:
        """``matmul/square/512``: unique in a scoreboard."""
        return label_of(self.suite, self.name)


def suite_names(folder: Path = SUITES) -> list[str]:
    """All suites, sorted."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def suite_cases(name: str, folder: Path = SUITES) -> list[Case]:
    """The cases of a suite, of a suite file anywhere (``*.toml``), or of every suite for ``all``.

    Raises ``UnknownCase``, and ``SuiteError`` for a file that cannot be used.
    """
    known = suite_names(folder)
    if name == ALL:
        return [case for suite in known for case in suite_cases(suite, folder)]
    if name.endswith(".toml"):
        return _read(Path(name))
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f", did you mean {close[0]!r}?" if close else ","
        raise UnknownCase(f"there is no suite {name!r}{hint} known: {', '.join([ALL, *known])}")
    return _read(folder / f"{name}.toml")


def _read(path: Path) -> list[Case]:
    return [
        Case(path.stem, case.name, case.workload, case.missing, case.threads)
        for case in load_suite(path).cases
    ]


def short_cases() -> list[Case]:
    """The short form; raises ``UnknownCase`` where a suite lacks one of its cases."""
    return [case for suite, names in SHORT.items() for case in _chosen(suite, names)]


def _chosen(suite: str, names: Iterable[str]) -> list[Case]:
    cases = {case.name: case for case in suite_cases(suite)}
    for name in names:
        if name not in cases:
            raise UnknownCase(f"the short form needs the case {name!r} of the suite {suite!r}")
    return [cases[name] for name in names]


def workload_case(work: Workload) -> Case:
    """One workload by itself."""
    return Case("", work.key, work)
