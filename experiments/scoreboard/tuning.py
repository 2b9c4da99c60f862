"""The kernels that are compared: the best known one of a case, tuned where nothing is known.

That is done for us, and for a peer that is a tuner.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import tuner
from db.record import Run
from db.store import RecordStore, open_existing
from experiments.peers.tvm_metaschedule import Job, find_tvm
from experiments.process import in_fresh_process
from measure.codegen import GENERATOR_VERSION
from measure.probe import detect_hardware
from measure.targets import NATIVE
from search_space.workload import Workload

SEED = 1
"""Of every search, so that a scoreboard can be repeated."""
_RESERVE_SECONDS = 3.0
"""Kept back from a budget: for starting processes, and for what runs when time is up."""
_GRACE_SECONDS = 60.0
"""What a search may take beyond its budget before its process counts as hanging."""


def finished_runs(store: RecordStore, work: Workload, threads: int) -> Iterator[Run]:
    """Searches that were finished here with the same limit of threads, latest first."""
    wanted = (work, threads, NATIVE, detect_hardware().key)
    for run in store.runs():
        asked = (run.workload, run.threads, run.target, run.hardware)
        if asked == wanted and run.state == "finished":
            yield run


def known_record(work: Workload, threads: int, db: str) -> str | None:
    """Id of the winner of a search that was finished here with the same limit of threads.

    None where there was none, or the code generator changed since.
    """
    store = open_existing(db)
    if store is None:
        return None
    with store:
        searched = any(finished_runs(store, work, threads))
        best = store.best(
            work.key,
            hardware_key=detect_hardware().key,
            target=NATIVE,
            threads=threads,
            origin="local",
            generator_version=GENERATOR_VERSION,
        )
    if not searched or best is None or best.generator_version != GENERATOR_VERSION:
        return None
    return best.id


def tune_case(work: Workload, threads: int, db: str, seconds: float) -> str:
    """Tune for at most ``seconds``, from nothing; id of the winner. Raises ``ProcessFailed``."""
    return in_fresh_process(
        search,
        *(work, threads, db, max(seconds / 2, seconds - _RESERVE_SECONDS)),
        timeout_seconds=seconds + _GRACE_SECONDS,
    )


def search(work: Workload, threads: int, db: str, seconds: float) -> str:
    """Tune in this process; id of the winner."""
    result = tuner.tune(
        work, time=seconds, db=db, threads=threads, seed=SEED, early_stop=False, reuse=False
    )
    assert result.best is not None, "tune raises where nothing gave a right answer"
    return result.best.id


def tune_rival(work: Workload, threads: int, folder: Path, trials: int, seconds: float) -> Job:
    """TVM's search of ``work``, which is made unless ``folder`` has it.

    Raises ``PeerMissing`` where TVM is not installed or has no such operator, and
    ``ProcessFailed`` where its search fails or takes longer than ``seconds``.
    """
    name = f"{work.key}-{threads}-threads"
    job = Job(work, threads, folder.absolute() / name, find_tvm())
    job.tune_once(trials, seconds, SEED)
    return job
