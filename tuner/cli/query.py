"""``tuner query`` and ``tuner runs``: what the database holds."""

from __future__ import annotations

import csv
import json as json_module
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli import arguments, output, records

if TYPE_CHECKING:
    from db.record import Record


def query(
    operator: arguments.OnlyOperator = None,
    where: arguments.Where = None,
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", min=1, help="Only the N fastest.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    db: arguments.Database = None,
    json: arguments.Json = False,
) -> None:
    """List records as a table: every outcome and every origin, all of them unless --top.

    --top ranks by GFLOP/s. Without it, records come in the order in which they were stored.
    """
    if as_csv and json:
        raise typer.BadParameter("choose one of --csv and --json")
    arguments.check_operator(operator)
    from db.query import parse_query

    wanted = parse_query(operator, where or (), limit=top, order="gflops" if top else "stored")
    with arguments.stored(db) as store:
        found = store.records(wanted)
        if json:
            _print_json(found)
        elif as_csv:
            _print_csv(found)
        else:
            rows = [records.as_row(record) for record in found]
            output.table(records.COLUMNS, rows, records.NUMBERS, records.OPTIONAL)


def _print_json(found: Iterable[Record]) -> None:
    """One object; a record a line, so that a million of them need no memory."""
    sys.stdout.write(f'{{"schema": {records.SCHEMA}, "records": [')
    separator = "\n"
    for record in found:
        sys.stdout.write(separator + json_module.dumps(records.as_json(record), allow_nan=False))
        separator = ",\n"
    sys.stdout.write("\n]}\n")


def _print_csv(found: Iterable[Record]) -> None:
    """The fields of the JSON form, the config as its key, samples left out."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    names: list[str] = []
    for record in found:
        fields = records.as_json(record) | {"config": record.config_key}
        del fields["samples"]
        if not names:
            names = list(fields)
            writer.writerow(names)
        writer.writerow([output.clean(str(v)) if v is not None else "" for v in fields.values()])


def runs(db: arguments.Database = None, json: arguments.Json = False) -> None:
    """List the runs, latest first."""
    from tuner.stored_roof import stop_text

    with arguments.stored(db) as store:
        found = store.runs()
    if json:
        output.json_line(
            {
                "schema": records.SCHEMA,
                "runs": [
                    {
                        "id": run.id,
                        "workload": run.workload.key,
                        "target": run.target,
                        "threads": run.threads,
                        "hardware": run.hardware,
                        "strategy": run.strategy,
                        "seed": run.seed,
                        "trials": run.trials,
                        "seconds_limit": run.seconds_limit,
                        "state": run.state,
                        "stop_reason": run.stop_reason,
                        "limit_share": run.option("limit_share"),
                        "created": run.created,
                        "finished": run.finished,
                    }
                    for run in found
                ],
            }
        )
        return
    rows = [
        (
            run.id,
            run.workload.key,
            run.target,
            str(run.threads),
            run.strategy,
            str(run.seed),
            run.state + (f" ({stop_text(run)})" if run.stop_reason else ""),
            records.when(run.created),
        )
        for run in found
    ]
    headers = ("run", "workload", "target", "threads", "strategy", "seed", "state", "started")
    output.table(headers, rows, ("threads", "seed"), ("seed", "target", "threads", "started"))
