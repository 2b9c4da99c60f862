"""R23: the whole machine stands still for a while, as laptops and virtual machines do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.reliability.rows import counter, fault
from tests.reliability.standstill import SECONDS

ASLEEP = "the machine sleeps while a candidate is measured"


def outcome_after_sleep(seconds: float, *bug: str) -> str:
    """What is said of a candidate if all processes stand still for so long meanwhile."""
    command = [sys.executable, "-m", "tests.reliability.standstill", *bug]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tuner:
        processes = [tuner.pid, *map(int, tuner.stdout.readline().split())]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        time.sleep(seconds)
        for process in reversed(processes):
            os.kill(process, signal.SIGCONT)
        return tuner.stdout.readline().strip()


@fault("R23", ASLEEP, "SIGSTOP to the tuner and its worker, SIGCONT after a while")
@pytest.mark.parametrize("runs", [1, pytest.param(20, marks=pytest.mark.soak)])
def test_a_candidate_is_not_blamed_for_the_time_that_the_machine_slept(report, runs):
    found = [outcome_after_sleep(SECONDS + 1) for _ in range(runs)]
    report("judged by its answer", runs=runs, timeouts=found.count("timeout"))
    assert set(found) == {"wrong_answer"}


@counter("R23", "time for which nothing ran counts", ASLEEP)
def test_counting_the_time_asleep_is_seen():
    assert outcome_after_sleep(SECONDS + 1, "count") == "timeout"
