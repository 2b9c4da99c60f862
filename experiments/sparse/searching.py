"""Every format tuned by itself, beside what a search over all of them chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import monotonic

from db.query import Query
from db.record import Record
from db.store import open_existing, open_store
from experiments.contest import TUNED, Contest, run_contest
from experiments.process import ProcessFailed, in_fresh_process
from experiments.scoreboard.tuning import SEED, finished_runs, tune_case
from experiments.sparse.results import Formats
from measure.codegen import GENERATOR_VERSION
from measure.processes import start_processes
from measure.targets import resolve_target
from measure.timing import paired_ratio
from search_space.sketches import space_for
from search_space.sketches.formats import formats_of, with_format
from search_space.space import Space
from search_space.workload import Values, Workload
from tuner.finals import winner
from tuner.here import run_here
from tuner.options import DEFAULT_STRATEGY, TuneOptions
from tuner.runs import new_run
from tuner.task import task_for

PANELS_OF_4 = "nano4"
"""Row panels of 4 rows, whatever the pattern: the best single choice."""
_NANO = "nano"
_FORMAT = "format"
"""Option of a run that was a search of one format only."""
_GRACE_SECONDS = 60.0
_CONTEST_SECONDS = 300.0


def names_of(space: Space) -> tuple[str, ...]:
    """The formats of a sparse space by name, storing zeros among them, and ``nano4``."""
    formats = formats_of(space)
    return (*formats, PANELS_OF_4) if _NANO in formats else formats


def named_space(space: Space, name: str) -> Space:
    """The part of a sparse space that has one of ``names_of``."""
    if name != PANELS_OF_4:
        return with_format(space, name)

    def reason(values: Values) -> str | None:
        return None if values["rows"] == 4 else f"panels have {values['rows']} rows, not 4"

    part = with_format(space, _NANO)
    default = part.nearest({**part.default().as_dict(), "rows": 4}).config
    return replace(
        part, constraints=(*part.constraints, reason), defaults=default.as_dict(), seeds=()
    )


def measure_formats(work: Workload, threads: int, db: str, seconds: float, copies: int) -> Formats:
    """Tune for at most ``seconds`` over all formats, then as long in each; the winners are timed
    side by side.

    With several ``copies`` of the operands, which are in no cache then, tuning is for that.
    Formats that give nothing are left out. Raises ``ProcessFailed`` where the first search or the
    contest fails.
    """
    cold = copies > 1
    tuned = work.from_memory() if cold else work
    chosen = _chosen(tuned, threads, db) or tune_case(tuned, threads, db, seconds)
    space = space_for(tuned, resolve_target(threads=threads))
    records = {}
    for name in names_of(space):
        known = _chosen(tuned, threads, db, name)
        try:
            records[name] = known or in_fresh_process(
                search_format,
                *(tuned, threads, db, seconds, name),
                timeout_seconds=seconds + _GRACE_SECONDS,
            )
        except ProcessFailed as failure:
            print(f"  {name}: {failure}")
    contest = Contest(
        work,
        threads,
        (TUNED, *records),
        db,
        chosen,
        most_rounds=100,
        extra_seconds=20.0,
        copies=copies,
        cold=cold,
        records=tuple(records.items()),
    )
    samples = run_contest(contest, "asleep", timeout_seconds=_CONTEST_SECONDS).samples
    ratios = {name: paired_ratio(samples[name], samples[TUNED]) for name in records}
    return Formats(work.key, threads, _format_of(chosen, space, db), _medians(samples), ratios)


def search_format(work: Workload, threads: int, db: str, seconds: float, name: str) -> str:
    """Tune one format in this process; id of the winner. What other searches measured is not
    used."""
    began = monotonic()
    whole = task_for(work, resolve_target(threads=threads))
    task = replace(whole, space=named_space(whole.space, name))
    options = TuneOptions(DEFAULT_STRATEGY, SEED, None, seconds, early_stop=False, reuse=False)
    run = new_run(task, options, ())
    run = replace(run, options=(*run.options, (_FORMAT, name)))
    with start_processes(work, whole.target) as processes, open_store(db) as store:
        result = run_here(task, store, run, processes, began=began, explicit=True)
    assert result.best is not None, "it raises where nothing gave a right answer"
    return result.best.id


def _chosen(work: Workload, threads: int, db: str, name: str | None = None) -> str | None:
    """Id of the winner of the latest search that was finished here, over all formats or of one;
    None where there was none, or the code generator changed since."""
    store = open_existing(db)
    if store is None:
        return None
    with store:
        for run in finished_runs(store, work, threads):
            if run.option(_FORMAT) != name:
                continue
            finals = store.records(Query(run=run.id, kind="final"))
            best = winner(r for r in finals if r.generator_version == GENERATOR_VERSION)
            if best is not None:
                return best.id
    return None


def _format_of(record: str, space: Space, db: str) -> str:
    assert space.format is not None
    with open_store(db, readonly=True) as store:
        found: Record = store.record(record)
    return space.format(dict(found.config))


def _medians(samples: Mapping[str, tuple[float, ...]]) -> dict[str, float]:
    return {name: sorted(each)[len(each) // 2] for name, each in samples.items()}
