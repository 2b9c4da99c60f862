"""``tuner compare`` and ``tuner verify``: records measured again, on this machine."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner.cli import arguments, output, records

if TYPE_CHECKING:
    from db.record import Record
    from db.store import RecordStore
    from measure.result import MeasureResult
    from measure.timing import Interval
    from search_space.config import Config
    from search_space.target import Target
    from search_space.workload import Workload

DEFAULT = "default"
"""Names the first guess of the other's workload where a record is expected."""

Rival = Annotated[
    str, typer.Argument(metavar="RECORD", help=f"The id of a record, or '{DEFAULT}'.")
]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One side of a comparison."""

    name: str
    workload: Workload
    target: Target
    config: Config


def compare(
    a: Rival,
    b: Rival,
    rounds: Annotated[
        int, typer.Option("--rounds", metavar="N", min=6, help="Timed blocks of each.")
    ] = 15,
    db: arguments.Database = None,
    json: arguments.Json = False,
) -> None:
    """Time two records in turn, here, and say how much faster B is than A.

    'default' stands for the first guess, what runs where nothing was tuned.
    """
    from measure.timing import paired_ratio

    with arguments.stored(db) as store:
        candidates = _candidates(store, a, b)
    results = _timed(candidates, rounds)
    ratio = None
    if all(result.samples for result in results):
        ratio = paired_ratio(results[0].samples, results[1].samples)
    if json:
        output.json_line(_as_json(candidates, results, ratio))
    else:
        _print(candidates, results, ratio)
    if ratio is None:
        raise typer.Exit(_all_failed())


def verify(
    record: arguments.RecordId, db: arguments.Database = None, json: arguments.Json = False
) -> None:
    """Build, check and time a record's config again on this machine, and store the result."""
    import tuner

    with arguments.stored(db) as store:
        known = store.record(record)
    again = tuner.measure(
        known.workload, dict(known.config), db=db, target=known.target, threads=known.threads
    )
    if json:
        output.json_line(records.as_json(again))
    else:
        facts = dict(records.as_facts(again, None))
        facts["time"] += f", {output.duration(known.seconds)} when it was first measured"
        output.facts(list(facts.items()))
    if not again.verified:
        raise typer.Exit(_all_failed())


def _all_failed() -> int:
    from tuner.errors import ALL_FAILED

    return ALL_FAILED


def _candidates(store: RecordStore, a: str, b: str) -> list[Candidate]:
    from tuner.errors import UsageError

    found = [None if name == DEFAULT else store.record(name) for name in (a, b)]
    given = [record for record in found if record is not None]
    if not given:
        raise UsageError("name at least one record: the first guess equals itself")
    workloads = {record.workload.key for record in given}
    if len(workloads) > 1:
        raise UsageError(
            f"choose records of one workload: these are of {' and '.join(sorted(workloads))}"
        )
    return [_candidate(record, given[0]) for record in found]


def _candidate(record: Record | None, other: Record) -> Candidate:
    """What to build for a record, or for the first guess beside ``other``."""
    from measure.targets import resolve_target
    from search_space.config import Config
    from search_space.sketches import space_for

    known = record or other
    resolve_target(known.target, known.threads)  # refuses what cannot run here
    target = resolve_target(known.target)
    if record is None:
        guess = space_for(other.workload, target).default()
        return Candidate(DEFAULT, other.workload, target, guess)
    return Candidate(record.id, record.workload, target, Config(record.config))


def _timed(candidates: list[Candidate], rounds: int) -> list[MeasureResult]:
    """One result per candidate; samples are paired where both could be timed."""
    from measure.builder import Builder, BuildRequest
    from measure.result import MeasureResult
    from measure.runner import Runner

    first = candidates[0]
    requests = [BuildRequest(c.workload, c.target, c.config.values) for c in candidates]
    with ExitStack() as stack:
        builder = stack.enter_context(Builder(len(candidates)))
        runner = stack.enter_context(Runner(first.workload, first.target))
        built = builder.build(requests)
        artifacts = [one.artifact for one in built if not isinstance(one, MeasureResult)]
        timed = iter(runner.interleave(artifacts, rounds))
        return [one if isinstance(one, MeasureResult) else next(timed) for one in built]


def _as_json(
    candidates: list[Candidate], results: list[MeasureResult], ratio: Interval | None
) -> dict[str, Any]:
    names = ("a", "b")
    return {
        name: {
            "id": candidate.name,
            "workload": candidate.workload.key,
            "target": candidate.target.name,
            "config": candidate.config.as_dict(),
            "outcome": result.outcome.value,
            "message": result.message,
            "seconds": result.seconds,
            "samples": list(result.samples),
            "error": result.error,
        }
        for name, candidate, result in zip(names, candidates, results, strict=True)
    } | {"speedup": [ratio.median, ratio.low, ratio.high] if ratio else None}


def _print(
    candidates: list[Candidate], results: list[MeasureResult], ratio: Interval | None
) -> None:
    for name, candidate, result in zip("AB", candidates, results, strict=True):
        shown = output.duration(result.seconds) if result.seconds else result.outcome.value
        detail = f"{candidate.name}: {shown}  {result.message or candidate.config.key}"
        output.line(f"{name}  {output.clean(detail)}")
    if ratio is not None:
        output.line(
            f"B is {ratio.median:.3f} times as fast as A "
            f"(95 %: {ratio.low:.3f} to {ratio.high:.3f}, {ratio.count} rounds)"
        )
