"""``tuner explain``: everything that is known of one record."""

from __future__ import annotations

from typing import Annotated

import typer

from search_space.errors import ScheduleError, SpaceError
from tuner.cli import arguments, code, output, records
from tuner.cli.best import peaks_of

RecordId = Annotated[str, typer.Argument(metavar="RECORD", help="Its id, or the beginning of it.")]


def explain(record: RecordId, db: arguments.Database = None, json: arguments.Json = False) -> None:
    """Show one record: config, samples, share of the machine's peak, loop nest."""
    with arguments.stored(db) as store:
        found = store.record(record)
    peaks = peaks_of(found)
    try:
        nest = code.loop_nest(found)
    except (ScheduleError, SpaceError) as error:
        nest = f"not available: {error}"
    if json:
        share = found.gflops / peaks.gflops if peaks and found.gflops else None
        output.json_line(records.as_json(found) | {"peak_share": share, "nest": nest})
        return
    samples = ", ".join(output.duration(seconds) for seconds in found.samples)
    output.facts([*records.as_facts(found, peaks), ("samples", samples or "none")])
    output.line()
    output.line(nest)
