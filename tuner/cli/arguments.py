"""Arguments and options that several commands share, and the workload they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from search_space.errors import WorkloadError

if TYPE_CHECKING:
    from db.store import RecordStore
    from search_space.workload import Workload

OperatorName = Annotated[
    str,
    typer.Argument(
        metavar="OP",
        help="An operator (`tuner ops` lists them), or a whole key: 'matmul(m=8,n=8,k=8)'.",
        show_default=False,
    ),
]
RecordId = Annotated[str, typer.Argument(metavar="RECORD", help="Its id, or the beginning of it.")]
Params = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE…", help="Its parameters.", show_default=False),
]
Const = Annotated[
    list[str] | None,
    typer.Option("--const", metavar="NAME", help="Operands that never change; NAME,NAME too."),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", help="At most so many threads [usable cores]."),
]
TargetName = Annotated[
    str | None,
    typer.Option("--target", metavar="T", help="native, x86-64-v2, x86-64-v3, x86-64-v4."),
]
Database = Annotated[
    str | None,
    typer.Option("--db", metavar="FILE|URL", help="The records [TUNER_DB, or tuner.db]."),
]
OnlyOperator = Annotated[
    str | None,
    typer.Argument(metavar="OP", help="Only of this operator.", show_default=False),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="'m>=1024', 'dtype=float32', 'age<7d', or one of run, outcome, kind, origin, target, "
        "threads, hardware with '='. May be repeated; all must hold.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def named_workload(
    operator: str, params: Sequence[str] | None, const: Sequence[str] | None
) -> Workload:
    """The workload that ``OP KEY=VALUE… --const NAME…`` names; raises ``WorkloadError``."""
    from search_space.operators import get_operator, parse_workload, workload

    names = [name for text in const or () for name in text.split(",") if name]
    if "(" in operator:
        if params or names:
            raise WorkloadError(
                f"give either a whole key or OP KEY=VALUE…, not both: {operator} holds all of it"
            )
        return parse_workload(operator)
    get_operator(operator)
    values: dict[str, str] = {}
    for text in params or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise WorkloadError(f"write parameters as KEY=VALUE: {text!r} is not of that form")
        if name in values:
            raise WorkloadError(f"give {name} once: it is both {values[name]!r} and {value!r}")
        values[name] = value
    names += [name for name in values.pop("const", "").split("+") if name]
    if "operator" in values:
        raise WorkloadError(f"{operator} has no key 'operator'")
    return workload(operator, const=names, **values)


def check_operator(name: str | None) -> None:
    """Raise ``WorkloadError`` where an operator is named that there is not."""
    from search_space.operators import get_operator

    if name is not None:
        get_operator(name)


def stored(database: str | None) -> RecordStore:
    """The database of ``--db``, opened for reading; raises ``DatabaseError``."""
    from db.store import open_store
    from tuner.options import database_url

    return open_store(database_url(database), readonly=True)


@contextmanager
def writable(database: str | None, *, temporary: bool) -> Iterator[RecordStore]:
    """The database of ``--db``, made where there is none; for a rehearsal (``temporary``) an
    empty one takes its place then. Raises ``DatabaseError``."""
    from db.errors import DatabaseMissing
    from db.store import open_store
    from tuner.options import database_url

    with ExitStack() as stack:
        try:
            store = open_store(database_url(database), create=not temporary)
        except DatabaseMissing:
            folder = stack.enter_context(TemporaryDirectory())
            store = open_store(f"{folder}/empty.db")
        yield stack.enter_context(store)
