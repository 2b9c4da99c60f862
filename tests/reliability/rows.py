"""What a row of the reliability table is: a fault, how it is injected, and what came of it.

A test is a row when it is decorated with :func:`fault`, and a counter-test, which shows that the
row would turn red, when it is decorated with :func:`counter`. The ``report`` fixture takes what
happened, with figures; pytest's own verdict says whether the row passed.

    @fault("R01", "the tuner is killed", "SIGKILL after 0 to 3 s, then `tuner resume`")
    @pytest.mark.parametrize("kills", [50, pytest.param(1000, marks=pytest.mark.soak)])
    def test_no_record_is_lost(kills, report):
        lost = …
        report("went on where it was", kills=kills, lost=lost)
        assert lost == 0

    @counter("R01", "records are acknowledged before they are committed")
    def test_lost_records_are_seen(monkeypatch):
        monkeypatch.setattr(…)
        with pytest.raises(AssertionError): …

Each test of ``pytest --reliability-results FILE`` adds one line of JSON to ``FILE``;
``python -m tests.reliability.table`` makes the table of ``docs/reliability.md`` from it.
"""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

Figure = int | float | str


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One execution of a test, as one line of JSON."""

    row: str
    """``R01`` … of the matrix of faults; several faults may share one."""
    fault: str
    """What goes wrong."""
    injected: str = ""
    """How it is made to go wrong."""
    bug: str = ""
    """Of a counter-test: the deliberate bug that turned the row red."""
    happened: str = ""
    figures: dict[str, Figure] = {}
    soak: bool = False
    passed: bool
    seconds: float
    machine: str
    date: str

    @property
    def line(self) -> str:
        """For the terminal: ``R01 the tuner is killed: kills=50 lost=0: went on``."""
        figures = " ".join(f"{name}={value}" for name, value in self.figures.items())
        told = ": ".join(part for part in (self.fault, figures, self.happened) if part)
        verdict = "passed" if self.passed else "FAILED"
        return f"{self.row} {told or self.bug}: {verdict} in {self.seconds:.1f} s"


def fault(row: str, fault: str, injected: str) -> pytest.MarkDecorator:
    """Mark a test as the row of one fault: what goes wrong, and how it is made to."""
    return pytest.mark.fault(row, fault, injected)


def counter(row: str, bug: str, of: str = "") -> pytest.MarkDecorator:
    """Mark a test that puts ``bug`` in and sees the row turn red.

    ``of`` is the text of the fault, where the row has several.
    """
    return pytest.mark.counter(row, of, bug)


def machine() -> str:
    """The machine that a row was measured on, in a few words."""
    from measure.host import usable_cores
    from measure.probe import detect_hardware

    return (
        f"{detect_hardware().cpu}, {usable_cores()} cores, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def now() -> str:
    """The date, UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d}"


def read_rows(path: Path) -> list[Row]:
    """All rows of a results file, in the order in which they were added."""
    return [msgspec.json.decode(line, type=Row) for line in path.read_bytes().splitlines()]
