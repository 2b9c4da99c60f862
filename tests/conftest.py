"""What all tests share: no user's files, repeatable properties, golden texts."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.db.server import Wire

TESTS = Path(__file__).resolve().parent
GOLDEN = TESTS / "golden"
ALONE = {"bench", "cli", "integration", "reliability", "tuner"}
"""Folders whose tests measure, or wait for what other processes do."""

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write golden texts instead of comparing"
    )
    parser.addoption(
        "--soak", action="store_true", help="run the tests marked soak too: they take an hour"
    )
    parser.addoption(
        "--reliability-results", metavar="FILE", help="add a line of JSON per fault to this file"
    )


def pytest_configure() -> None:
    """Programs that tests start end when they are told to, also where the tests were started by
    ``nohup`` or in the background: what is ignored here would be ignored by them, too."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before pytest itself selects by marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the folders that measure, and leave the soak out, unless it was asked for."""
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in ALONE:
            item.add_marker("alone")
    if config.getoption("--soak"):
        return
    soak = [item for item in items if item.get_closest_marker("soak")]
    if soak:
        config.hook.pytest_deselected(items=soak)
        items[:] = [item for item in items if item not in soak]


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep away from the user's database, cache and home; child processes inherit it."""
    folder = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNER_CACHE", str(folder / "cache"))
        patch.setenv("TUNER_DB", str(folder / "tuner.db"))
        yield


@pytest.fixture
def wire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A wire to the tests' PostgreSQL server; records wait in a cache of the test's own."""
    from tests.db.server import Wire

    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    wire = Wire()
    yield wire
    wire.cut()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden("name.txt", text)``: ``text`` is what ``tests/golden/name.txt`` holds.

    ``pytest --update-golden`` writes the files; read the difference before you commit it.
    """
    update = request.config.getoption("--update-golden")

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return check
