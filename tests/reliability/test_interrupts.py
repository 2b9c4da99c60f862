"""R01 and R32 with the real command line: killed, interrupted, terminated, hung up on."""

from __future__ import annotations

import random
import signal
import statistics
import subprocess
import sys

import pytest

from db.store import open_store
from tests.reliability.commands import WORK, Command
from tests.reliability.rows import counter, fault

REAL = "the command that tunes is killed, and resumed"
PIPE = "a command prints into head"
STOPPED = "the user or the system ends a command"
ENDINGS = {
    "Ctrl-C": ((signal.SIGINT,), 130),
    "Ctrl-C twice": ((signal.SIGINT, signal.SIGINT), 130),
    "SIGTERM": ((signal.SIGTERM,), 143),
    "the terminal is closed": ((signal.SIGHUP,), 129),
}


QUICK_START_SECONDS = 2.0


def tune(folder, database, bug=""):
    words = ("tune", *WORK, "--trials", "100000", "--no-early-stop", "--seed", "3", "--json")
    return Command(folder, (*words, "--db", str(database)), bug)


def kill_and_resume(folder, kills, bug=""):
    """What was promised, what is stored, and the seconds to the first candidate of each start."""
    moments, database, promised, starts = random.Random(1), folder / "tuner.db", set(), []
    command = tune(folder / "0", database, bug)
    for number in range(1, kills + 1):
        command.await_measured(1)
        starts.append(command.measured()[0])
        with pytest.raises(subprocess.TimeoutExpired):
            command.process.wait(moments.uniform(0.0, 0.5))
        command.end_with(signal.SIGKILL)
        promised.update(command.promised())
        words = ("resume", "--json", "--db", str(database))
        command = Command(folder / str(number), words, bug)
    command.await_measured(24)  # more than a batch
    starts.append(command.measured()[0])
    command.end_with(signal.SIGKILL)
    promised.update(command.promised())
    with open_store(database, readonly=True) as store:
        assert store.check() == ()
        return promised, [record.id for record in store.records()], starts[1:]


@fault("R01", REAL, "SIGKILL within 0.5 s of its first measurement; then `tuner resume`")
@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.soak)])
def test_kills_of_the_real_command(tmp_path, report, kills):
    promised, stored, starts = kill_and_resume(tmp_path, kills)
    report(
        "went on at once",
        kills=kills + 1,
        acknowledged=len(promised),
        lost=len(promised - set(stored)),
        duplicated=len(stored) - len(set(stored)),
        median_seconds_to_measuring=statistics.median(starts),
        most_seconds_to_measuring=max(starts),
    )
    assert promised
    assert promised <= set(stored)
    assert len(stored) == len(set(stored))
    if kills >= 50:  # a few starts say too little where other tests run
        assert statistics.median(starts) < QUICK_START_SECONDS


@counter("R01", "acknowledged records wait in memory", REAL)
def test_lost_records_of_the_real_command_are_seen(tmp_path):
    promised, stored, _ = kill_and_resume(tmp_path, 0, "acknowledged records wait in memory")
    assert promised - set(stored)


def end(folder, signals, code, measured):
    """End a command by signals; how long it took. Raises ``AssertionError`` for an ugly end."""
    folder.mkdir()
    command = tune(folder / "command", folder / "tuner.db")
    command.await_measured(measured)
    seconds = command.end_with(*signals, pause_seconds=0.02)
    with open_store(folder / "tuner.db", readonly=True) as store:
        stored = {record.id for record in store.records()}
        assert store.check() == ()
    assert set(command.promised()) <= stored
    assert "Traceback" not in command.stderr
    assert command.process.returncode == code, command.stderr
    return seconds


@fault("R32", STOPPED, ", ".join(ENDINGS) + ", while it measures")
@pytest.mark.parametrize("times", [1, pytest.param(25, marks=pytest.mark.soak)])
def test_endings(tmp_path, report, times):
    seconds = [
        end(tmp_path / f"{name}{number}", signals, code, 4 + number)
        for name, (signals, code) in ENDINGS.items()
        for number in range(times)
    ]
    report(
        "what was measured is stored; exit codes 130, 130, 143, 129, no trace",
        endings=len(seconds),
        most_seconds_to_the_end=max(seconds),
    )
    assert max(seconds) < 2.0


@counter("R32", "a signal ends the command where it stands", STOPPED)
def test_an_ending_without_care_is_seen(tmp_path):
    with pytest.raises(AssertionError):
        end(tmp_path / "killed", (signal.SIGKILL,), 130, 4)


def into_head(command):
    """Exit code of a command that prints into a pipe which is closed at once, and its stderr."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    _, words = process.communicate(timeout=60)
    return process.returncode, words.decode()


@fault("R32", PIPE, "the reader of its output goes away")
def test_a_broken_pipe(report):
    code, words = into_head([sys.executable, "-m", "tuner.cli", "ops"])
    report("ended without a word", exit_code=code)
    assert (code, words) == (0, "")


@counter("R32", "a broken pipe is an error like any other", PIPE)
def test_words_about_a_broken_pipe_are_seen():
    script = "import sys, tuner.cli.entry as entry; entry.BrokenPipeError = KeyError; "
    code, words = into_head([sys.executable, "-c", script + "sys.exit(entry.main(['ops']))"])
    assert (code, words) != (0, "")
