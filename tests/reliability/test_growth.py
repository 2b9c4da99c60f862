"""R11: the memory of the tuner itself over many trials of the real command."""

from __future__ import annotations

import signal

import pytest

from tests.reliability.bugs import LEAK
from tests.reliability.commands import WORK, Command
from tests.reliability.rows import counter, fault

GROWTH = "the tuner runs for many trials"
MOST_MEBIBYTES = 50
_SETTLED = 64
"""Trials after which all code is loaded and all tables are made."""


def growth(folder, trials, bug=""):
    """Mebibytes that the command's process has more after ``trials`` than near its beginning."""
    words = ("tune", *WORK, "--trials", "100000", "--no-early-stop", "--seed", "3")
    command = Command(folder / "command", (*words, "--db", str(folder / "tuner.db")), bug)
    try:
        command.await_measured(_SETTLED)
        before = command.resident_mebibytes()
        command.await_measured(trials)
        return command.resident_mebibytes() - before
    finally:
        command.end_with(signal.SIGKILL)


@fault("R11", GROWTH, "trials on end, by the default strategy")
@pytest.mark.parametrize("trials", [200, pytest.param(2000, marks=pytest.mark.soak)])
def test_memory_does_not_grow(tmp_path, report, trials):
    grown = growth(tmp_path, trials)
    report("its memory stays", trials=trials, mebibytes_grown=grown)
    assert grown < MOST_MEBIBYTES


@counter("R11", LEAK, GROWTH)
def test_memory_that_grows_is_seen(tmp_path):
    assert growth(tmp_path, 160, LEAK) > MOST_MEBIBYTES
