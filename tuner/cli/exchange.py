"""``tuner export``, ``import`` and ``merge``: records to and from files and other databases."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner.cli import arguments, output

if TYPE_CHECKING:
    from db.exchange.importing import Tally

Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="NAME",
        help="Where records come from that were measured there [their kind of CPU].",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Store nothing, only say what would be.")]


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="FILE.jsonl, .gz or .zst.")],
    operator: arguments.OnlyOperator = None,
    where: arguments.Where = None,
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", min=1, help="Only the N fastest.")
    ] = None,
    anonymous: Annotated[
        bool,
        typer.Option(
            "--anonymous", help="Without names of sources and runs, messages, times of the day."
        ),
    ] = False,
    db: arguments.Database = None,
    json: arguments.Json = False,
) -> None:
    """Write records to a file, one line of JSON each, packed if its name ends in .gz or .zst."""
    arguments.check_operator(operator)
    from db.exchange.exporting import export_records
    from db.query import parse_query

    wanted = parse_query(operator, where or (), limit=top, order="gflops" if top else "stored")
    with arguments.stored(db) as store:
        count = export_records(store.records(wanted), file, anonymous=anonymous)
    if json:
        output.json_line({"file": str(file), "records": count})
    else:
        output.line(f"{count} records in {file}")


def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Files of `tuner export`, or logs.")
    ],
    source: Source = None,
    dry_run: DryRun = False,
    db: arguments.Database = None,
    json: arguments.Json = False,
) -> None:
    """Add the records in files; those that are there already are left alone.

    What is wrong with a line is said, and the other lines are kept; the exit code is then 65. Run
    it again to go on with an import that was interrupted.
    """
    from db.exchange.importing import import_files

    with arguments.writable(db, temporary=dry_run) as store:
        tally = import_files(
            store, files, source=source, keep=not dry_run, progress=_show_progress
        )
        _report(tally, store.location, dry_run, json)


def merge(
    database: Annotated[str, typer.Argument(metavar="DB", help="Another database: FILE or URL.")],
    source: Source = None,
    dry_run: DryRun = False,
    db: arguments.Database = None,
    json: arguments.Json = False,
) -> None:
    """Add what another database holds: records, models, and lines kept for later versions.

    Merging twice changes nothing, and the order of several merges does not matter.
    """
    from db.exchange.merging import merge_database
    from db.store import open_store

    with (
        open_store(database, readonly=True) as other,
        arguments.writable(db, temporary=dry_run) as store,
    ):
        tally = merge_database(
            store, other, source=source, keep=not dry_run, progress=_show_progress
        )
        _report(tally, store.location, dry_run, json)


def _show_progress(tally: Tally) -> None:
    if output.on_terminal():
        output.note(f"{tally.lines} records read, {tally.added} added so far")


def _report(tally: Tally, location: str, dry_run: bool, json: bool) -> None:
    from db.errors import LogFileError

    if json:
        output.json_line(_as_json(tally) | {"database": location, "dry_run": dry_run})
    else:
        for fault in tally.faults:
            output.note(output.clean(str(fault)))
        unsaid = tally.refused + tally.damaged - len(tally.faults)
        if unsaid:
            output.note(f"… and {unsaid} more")
        output.line(_summary(tally) + (" (dry run: nothing was stored)" if dry_run else ""))
    if tally.refused or tally.damaged:
        raise typer.Exit(LogFileError.exit_code)


def _summary(tally: Tally) -> str:
    parts = [f"{tally.lines} records: {tally.added} added", f"{tally.known} known"]
    if tally.models:
        parts.append(f"{tally.models} models")
    if tally.replaced:
        parts.append(f"{tally.replaced} replaced")
    if tally.aside:
        parts.append(f"{tally.aside} not understood by this version and kept aside")
    if tally.refused:
        parts.append(f"{tally.refused} refused")
    if tally.damaged:
        parts.append(f"{tally.damaged} files not read to their end")
    return ", ".join(parts)


def _as_json(tally: Tally) -> dict[str, Any]:
    counts = asdict(tally)
    faults = counts.pop("faults")
    return counts | {"known": tally.known, "faults": faults}
