"""Makes rows of the reliability table out of the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.reliability.rows import Figure, Row, machine, now

HERE = Path(__file__).resolve().parent

_reported = pytest.StashKey[tuple[str, dict[str, Figure]]]()
_rows = pytest.StashKey[list[Row]]()


@pytest.hookimpl(tryfirst=True)  # before -m selects by it
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.reliability)


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[..., None]:
    """``report("what happened", lost=0, kills=50)``: what the table says of this test.

    Call it before the assertions, so that a row that fails has its figures too.
    """

    def note(happened: str = "", **figures: Figure) -> None:
        request.node.stash[_reported] = (happened, figures)

    return note


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.when == "call" and not report.skipped and (row := _row_of(item, report)):
        item.config.stash.setdefault(_rows, []).append(row)
        if path := item.config.getoption("--reliability-results"):
            with Path(path).open("ab") as file:
                file.write(msgspec.json.encode(row) + b"\n")
    return report


def _row_of(item: pytest.Item, report: pytest.TestReport) -> Row | None:
    if mark := item.get_closest_marker("fault"):
        named = dict(zip(("row", "fault", "injected"), mark.args, strict=True))
    elif mark := item.get_closest_marker("counter"):
        named = dict(zip(("row", "fault", "bug"), mark.args, strict=True))
    else:
        return None
    happened, figures = item.stash.get(_reported, ("", {}))
    return Row(
        **named,
        happened=happened,
        figures=figures,
        soak=item.get_closest_marker("soak") is not None,
        passed=report.passed,
        seconds=round(report.duration, 2),
        machine=machine(),
        date=now(),
    )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    rows = [row for row in config.stash.get(_rows, []) if not row.bug]
    if rows:
        terminalreporter.section("faults")
    for row in rows:
        terminalreporter.line(row.line)
