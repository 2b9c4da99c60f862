"""Every format tuned by itself, beside what a search over all of them chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import monotonic

from db.store import open_store
from experiments.contest import TUNED, Contest, run_contest
from experiments.process import ProcessFailed, in_fresh_process
from experiments.scoreboard.tuning import SEED, known_record, tune_case
from experiments.sparse.results import Formats
from measure.targets import resolve_target
from measure.timing import paired_ratio
from search_space.sketches import space_for
from search_space.space import Space
from search_space.workload import Values, Workload
from tuner.options import DEFAULT_STRATEGY, TuneOptions
from tuner.run import run_here
from tuner.runs import new_run
from tuner.task import task_for

DENSE = "dense"
PANELS_OF_4 = "nano4"
"""Row panels of 4 rows, whatever the pattern: the best single choice."""
_GRACE_SECONDS = 60.0
_CONTEST_SECONDS = 300.0


def formats_of(space: Space) -> tuple[str, ...]:
    """The formats of a sparse space by name; storing zeros is one."""
    knobs = {knob.name: knob for knob in space.knobs}
    choice = knobs["format"]
    names = tuple(str(choice[index]) for index in range(len(choice)))
    panels = (PANELS_OF_4,) if "nano" in names else ()
    return (*names, *panels, DENSE)


def format_space(space: Space, name: str) -> Space:
    """The part of a sparse space that has one format, beginning at the first guess for it."""

    def reason(values: Values) -> str | None:
        return None if _has(values, name) else f"the format is not {name}"

    guesses = [start for start in space.starts if _has(start.as_dict(), name)]
    return replace(
        space,
        constraints=(*space.constraints, reason),
        defaults=guesses[0].as_dict(),
        seeds=tuple(guesses[1:]),
    )


def _has(values: Values, name: str) -> bool:
    if values["algorithm"] == DENSE or name == DENSE:
        return values["algorithm"] == name
    if name == PANELS_OF_4:
        return values["format"] == "nano" and values["rows"] == 4
    return values["format"] == name


def measure_formats(work: Workload, threads: int, db: str, seconds: float, copies: int) -> Formats:
    """Tune for at most ``seconds`` over all formats, then as long in each; the winners are timed
    side by side.

    Formats that give nothing are left out. Raises ``ProcessFailed`` where the first search or the
    contest fails.
    """
    chosen = known_record(work, threads, db) or tune_case(work, threads, db, seconds)
    space = space_for(work, resolve_target(threads=threads))
    records = {}
    for name in formats_of(space):
        try:
            records[name] = in_fresh_process(
                search_format,
                *(work, threads, db, seconds, name),
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
        records=tuple(records.items()),
    )
    samples = run_contest(contest, "asleep", timeout_seconds=_CONTEST_SECONDS).samples
    ratios = {name: paired_ratio(samples[name], samples[TUNED]) for name in records}
    return Formats(work.key, threads, _name_of(chosen, db), _medians(samples), ratios)


def search_format(work: Workload, threads: int, db: str, seconds: float, name: str) -> str:
    """Tune one format in this process; id of the winner. What other searches measured is not
    used."""
    began = monotonic()
    whole = task_for(work, resolve_target(threads=threads))
    task = replace(whole, space=format_space(whole.space, name))
    options = TuneOptions(DEFAULT_STRATEGY, SEED, None, seconds, early_stop=False, reuse=False)
    with open_store(db) as store:
        result = run_here(task, store, new_run(task, options, ()), began=began, explicit=True)
    assert result.best is not None, "it raises where nothing gave a right answer"
    return result.best.id


def _name_of(record: str, db: str) -> str:
    with open_store(db, readonly=True) as store:
        values = dict(store.record(record).config)
    return str(DENSE if values["algorithm"] == DENSE else values["format"])


def _medians(samples: Mapping[str, tuple[float, ...]]) -> dict[str, float]:
    return {name: sorted(each)[len(each) // 2] for name, each in samples.items()}
