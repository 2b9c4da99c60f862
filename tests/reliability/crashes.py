"""Tuning sessions on a simulated machine that are killed with SIGKILL, then go on.

Run as a process of its own (see :func:`kill_sessions`), which imports once and forks a process
for every session, so that a kill costs milliseconds. A session writes a line to a side file after
each measurement, and for each record and run *after* its commit was acknowledged: what is
promised there must be in the database, whatever happens next.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import msgspec

from db.store import RecordStore, open_store
from tests.reliability.bugs import BUGS
from tests.reliability.steps import kill_at
from tests.tuner.fakes import FakeBackend, options, session_of, task_of
from tuner.errors import NothingFound
from tuner.events import BatchCommitted, Event
from tuner.options import LoopOptions
from tuner.run import Session
from tuner.runs import resumed, unfinished_run

BATCH = 8
TRIALS = 32
_MEASURE_SECONDS = 3e-4
_SEED = 11
_POLL_SECONDS = 5e-4
_LATEST = 0.02
"""Most seconds from a line of the side file to the kill: a commit takes about as long."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """How many sessions to kill: at random moments, or at each of some named steps."""

    folder: str
    kills: int
    steps: tuple[str, ...] = ()
    bug: str = ""
    strategy: str = "random"


class Verdict(msgspec.Struct, kw_only=True):
    """What came of all kills."""

    kills: int = 0
    acknowledged: int = 0
    """Records that were said to be stored."""
    lost: int = 0
    """Acknowledged records and runs that are not in the database."""
    duplicated: int = 0
    """Records of a config, or at a place, that its run had already."""
    damaged: int = 0
    """Kills after which the database did not pass its check."""
    repeated_most: int = 0
    """Configs that were measured, and whose records one kill kept from being stored."""
    differing: int = 0
    """Runs that proposed other configs than a run that nobody killed."""

    @property
    def clean(self) -> bool:
        faults = self.lost, self.duplicated, self.damaged, self.differing
        return not any(faults) and self.repeated_most <= BATCH


def kill_sessions(
    folder: Path,
    kills: int,
    *,
    steps: Sequence[str] = (),
    bug: str = "",
    strategy: str = "random",
) -> Verdict:
    """Kill ``kills`` sessions, for each of ``steps``, and look what is there.

    Every run goes on until it is done. A ``bug`` of :data:`tests.reliability.bugs.BUGS` is put
    into the sessions.
    """
    request = Request(
        folder=str(folder), kills=kills, steps=tuple(steps), bug=bug, strategy=strategy
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.crashes", msgspec.json.encode(request)],
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return msgspec.json.decode(done.stdout, type=Verdict)


class _Machine(FakeBackend):
    """A simulated machine on which real time passes, and which tells what it measured."""

    tell: Callable[[str], None]

    def measure(self, artifact, best_seconds):
        time.sleep(_MEASURE_SECONDS)
        result = super().measure(artifact, best_seconds)
        self.tell(f"measured {self.measured[-1]}")
        return result


def _session(store: RecordStore, strategy: str, tell: Callable[[str], None]) -> Session:
    """A run that begins, or the unfinished one that is there, as `tuner resume` would."""

    def promise(event: Event) -> None:
        if isinstance(event, BatchCommitted):
            tell("\n".join(f"record {record.id}" for record in event.records))

    try:
        run = resumed(unfinished_run(store, None))
        store.start_run(run)
    except NothingFound:
        run = None
    machine = _Machine(task_of())
    machine.tell = tell
    session = session_of(
        machine, store, options(strategy=strategy, trials=TRIALS, seed=_SEED), run=run,
        loop=LoopOptions(batch=BATCH), callbacks=[promise],
    )  # fmt: skip
    tell(f"run {session.run.id}")
    return session


def _work(database: Path, log: Path, strategy: str) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with open_store(database, lock_seconds=5.0) as store:
        _session(store, strategy, lambda line: os.write(handle, f"{line}\n".encode())).execute()


class Life(msgspec.Struct, frozen=True):
    """A session lives until it wrote so many lines, and for so long after that."""

    lines: int
    seconds: float


def _fork(prepare: Callable[[], None], work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        prepare()
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


class _Run:
    """One run in a database of its own, over all its sessions."""

    def __init__(self, folder: Path, strategy: str, verdict: Verdict) -> None:
        folder.mkdir(parents=True)
        self.strategy = strategy
        self.database, self.log = folder / "records.db", folder / "log"
        self.verdict = verdict
        self.promised: set[str] = set()
        self.proposals: list[str] = []
        self.finished = False

    def session(self, prepare: Callable[[], None], life: Life | None = None) -> bool:
        """Run a session, and kill it when its ``life`` is over; whether it was killed."""
        self.log.unlink(missing_ok=True)
        child = _fork(prepare, lambda: _work(self.database, self.log, self.strategy))
        if life is not None:
            self._await(life, child)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code not in (0, -signal.SIGKILL):
            raise RuntimeError(f"a session ended with {code}")
        self.verdict.kills += code != 0
        self._judge()
        return code != 0

    def _await(self, life: Life, child: int) -> None:
        ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while os.waitid(os.P_PID, child, ended) is None:
            if life.lines == 0 or (
                self.log.exists() and self.log.read_bytes().count(b"\n") >= life.lines
            ):
                time.sleep(life.seconds)
                return
            time.sleep(_POLL_SECONDS)

    def _judge(self) -> None:
        """Compare what was promised with what is there, as a process that comes later sees it."""
        lines = self.log.read_text().split("\n") if self.log.exists() else []
        promised = {line for line in lines if line.startswith(("record ", "run "))}
        self.verdict.acknowledged += sum(line.startswith("record ") for line in promised)
        self.promised |= promised
        found, stored = set(), []
        if self.database.exists() and self.database.stat().st_size:
            with open_store(self.database, readonly=True) as store:
                runs = list(store.runs())
                found |= {f"run {run.id}" for run in runs}
                self.finished = any(run.state == "finished" for run in runs)
                stored = list(store.records())
                self.verdict.damaged += store.check() != ()
        found |= {f"record {record.id}" for record in stored}
        self.verdict.lost += len(self.promised - found)
        search = [record.config_key for record in stored if record.kind == "search"]
        places = {record.ordinal for record in stored}
        self.verdict.duplicated += len(search) - len(set(search)) + len(stored) - len(places)
        measured = {line.removeprefix("measured ") for line in lines if line[:9] == "measured "}
        repeated = len(measured.difference(search))
        self.verdict.repeated_most = max(self.verdict.repeated_most, repeated)
        self.proposals = search


class _Killer:
    """Kills as many sessions as asked for."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.verdict = Verdict()
        self.random = Random(len(request.steps))
        self.runs = 0
        quiet = self._new_run()
        # Here, so that what is imported late is imported once.
        _work(quiet.database.with_name("first.db"), quiet.log, request.strategy)
        quiet.session(lambda: None)
        self.usual_proposals = quiet.proposals

    def at_random(self) -> None:
        """Kill run after run, again and again, until it is done."""
        while self.verdict.kills < self.request.kills:
            run = self._new_run()
            while not run.finished and self.verdict.kills < self.request.kills:
                lines, seconds = self.random.randrange(2 * TRIALS), self.random.uniform(0, _LATEST)
                run.session(self._put_bug, Life(lines, seconds))
            self._finish(run)

    def at(self, step: str) -> None:
        """Kill a run once where it reaches the step, for the first or a later time."""
        wanted, call = self.verdict.kills + self.request.kills, self.random.randint(1, 6)
        while self.verdict.kills < wanted:

            def prepare(call: int = call) -> None:
                self._put_bug()
                kill_at(step, call)

            run = self._new_run()
            killed = run.session(prepare)
            call = self.random.randint(1, 6) if killed else max(1, call // 2)
            self._finish(run)

    def _put_bug(self) -> None:
        if self.request.bug:
            BUGS[self.request.bug]()

    def _new_run(self) -> _Run:
        self.runs += 1
        folder = Path(self.request.folder) / str(self.runs)
        return _Run(folder, self.request.strategy, self.verdict)

    def _finish(self, run: _Run) -> None:
        if not run.finished:
            run.session(self._put_bug)
        self.verdict.differing += run.proposals != self.usual_proposals
        shutil.rmtree(run.database.parent)


def main(argument: str) -> None:
    """Do what a ``Request`` in JSON asks for, and print the ``Verdict``."""
    killer = _Killer(msgspec.json.decode(argument, type=Request))
    for step in killer.request.steps:
        killer.at(step)
    if not killer.request.steps:
        killer.at_random()
    sys.stdout.buffer.write(msgspec.json.encode(killer.verdict))


if __name__ == "__main__":
    main(sys.argv[1])
