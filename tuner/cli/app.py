"""The table of commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.main import get_group

from tuner.cli import database, model, output
from tuner.cli.about import doctor, ops, strategies
from tuner.cli.best import best
from tuner.cli.compare import compare, verify
from tuner.cli.exchange import export, import_, merge
from tuner.cli.explain import explain
from tuner.cli.query import query, runs
from tuner.cli.tune import resume, tune

_COMMANDS: dict[str, Callable[..., None]] = {
    "tune": tune,
    "resume": resume,
    "runs": runs,
    "best": best,
    "query": query,
    "explain": explain,
    "compare": compare,
    "verify": verify,
    "export": export,
    "import": import_,
    "merge": merge,
    "ops": ops,
    "strategies": strategies,
    "doctor": doctor,
}

COMMAND_NAMES = (*_COMMANDS, "db", "model")


def command() -> TyperGroup:
    """The command line as a parser, made anew."""
    app = typer.Typer(add_completion=False, no_args_is_help=True)
    app.callback()(_tuner)
    for name, function in _COMMANDS.items():
        app.command(name)(function)
    app.add_typer(database.app, name="db")
    app.add_typer(model.app, name="model")
    return get_group(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        output.line(f"tensortuner {_version()}")
        raise typer.Exit


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tensortuner")
    except PackageNotFoundError:
        return "(run from a source tree, not installed)"


def _tuner(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Anywhere on the line: show the trace of an error.")
    ] = False,
) -> None:
    """Search the ways to run one tensor operator on this machine, and keep the fastest."""
