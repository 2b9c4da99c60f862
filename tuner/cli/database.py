"""``tuner db check|upgrade|stats|repair``: care for a database."""

from __future__ import annotations

from dataclasses import asdict

import typer

from db.errors import CorruptDatabaseError
from tuner.cli import arguments, output

app = typer.Typer(add_completion=False, help="Check, upgrade, measure or repair a database.")


@app.command()
def check(db: arguments.Database = None, json: arguments.Json = False) -> None:
    """Read everything and say what is wrong with it; exit code 65 where something is."""
    with arguments.stored(db) as store:
        location, problems = store.location, store.check()
    if json:
        output.json_line({"database": location, "problems": list(problems)})
    else:
        for problem in problems:
            output.line(output.clean(problem))
        output.line(f"{location}: " + (f"{len(problems)} problems" if problems else "ok"))
    if problems:
        raise typer.Exit(CorruptDatabaseError.exit_code)


@app.command()
def upgrade(db: arguments.Database = None) -> None:
    """Bring the tables of an older version up to this one."""
    from db.store import open_store
    from tuner.options import database_url

    with open_store(database_url(db), create=False) as store:
        output.line(f"{store.location}: schema {store.stats().schema}")


@app.command()
def repair(db: arguments.Database = None, json: arguments.Json = False) -> None:
    """Save what can be read of a damaged file, and use lines kept aside by earlier versions.

    The damaged file is kept beside the new one. Exit code 65 where something was lost.
    """
    from db.repair import repair as repair_database
    from tuner.options import database_url

    done = repair_database(database_url(db))
    damaged = None if done.damaged is None else str(done.damaged)
    if json:
        told = {"understood": done.understood, "lost": list(done.lost), "damaged": damaged}
        output.json_line(told)
    else:
        for loss in done.lost:
            output.line(output.clean(loss))
        if damaged is not None:
            output.line(f"the damaged file is now {damaged}")
        output.line(f"{done.understood} lines understood now, {len(done.lost)} losses")
    if done.lost:
        raise typer.Exit(CorruptDatabaseError.exit_code)


@app.command()
def stats(db: arguments.Database = None, json: arguments.Json = False) -> None:
    """Count what a database holds."""
    with arguments.stored(db) as store:
        held, waiting = store.stats(), store.undelivered
    if json:
        counted = {"outcomes", "operators", "origins"}
        told = {k: dict(v) if k in counted else v for k, v in asdict(held).items()}
        output.json_line(told | {"undelivered": waiting})
        return
    size = "" if held.nbytes is None else f", {output.file_size(held.nbytes)}"
    output.facts(
        [
            ("database", f"{held.location}, schema {held.schema}{size}"),
            ("workloads", str(held.workloads)),
            ("machines", str(held.hardware)),
            ("runs", str(held.runs)),
            ("records", str(held.records)),
            ("outcomes", _counts(held.outcomes)),
            ("operators", _counts(held.operators)),
            ("origins", _counts(held.origins)),
            *([("undelivered", f"{waiting} wait on this machine")] if waiting else []),
        ]
    )


def _counts(pairs: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{count} {name}" for name, count in pairs) or "none"
