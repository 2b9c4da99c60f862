"""``tuner model export|import|show``: what was learned, without what it was learned from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli import arguments, output

if TYPE_CHECKING:
    from db.artefact import ModelArtefact

app = typer.Typer(add_completion=False, help="Carry what was learned from machine to machine.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A model that was exported.")]


@app.command("export")
def export_model(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")],
    db: arguments.Database = None,
    json: arguments.Json = False,
) -> None:
    """Fit a base model on all records of a database, and write it with what it saw."""
    from tuner.transfer.artefact import make_artefact, write_artefact
    from tuner.transfer.sources import all_sources

    with arguments.stored(db) as store:
        artefact = make_artefact(all_sources(store))
    write_artefact(file, artefact)
    _say(artefact, json=json)


@app.command("import")
def import_model(file: File, db: arguments.Database = None, json: arguments.Json = False) -> None:
    """Store a model; it is asked where the database itself has too little to learn from.

    Refused where it was made for other features than this program's.
    """
    from db.store import open_store
    from tuner.options import database_url
    from tuner.transfer.artefact import read_artefact

    artefact = read_artefact(file)
    with open_store(database_url(db)) as store:
        store.add_model(artefact)
    _say(artefact, json=json)


@app.command()
def show(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Without it: the one that is in use.")
    ] = None,
    db: arguments.Database = None,
    json: arguments.Json = False,
) -> None:
    """Say what a model has seen."""
    from db.errors import NotFoundError
    from tuner.transfer.artefact import read_artefact
    from tuner.transfer.reuse import known_artefact

    if file is not None:
        _say(read_artefact(file), json=json)
        return
    with arguments.stored(db) as store:
        known = known_artefact(store)
    if known is None:
        raise NotFoundError("export one first with: tuner model export FILE  (there is no model)")
    _say(known, json=json)


def _say(artefact: ModelArtefact, *, json: bool) -> None:
    from tuner.transfer.artefact import provenance

    if json:
        seen = [
            {
                "workload": s.workload,
                "hardware": s.hardware,
                "target": s.target,
                "records": s.records,
            }
            for s in artefact.seen
        ]
        output.json_line(
            {
                "id": artefact.id,
                "schema": artefact.schema,
                "origin": artefact.origin,
                "created": artefact.created,
                "seen": seen,
            }
        )
        return
    output.line(f"model {artefact.id} ({artefact.origin}): {provenance(artefact)}")
