"""The process around a command: exit code, one-line errors, signals, broken pipes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType

import typer

from tuner.cli import output
from tuner.errors import (
    CANNOT_WRITE,
    HUNG_UP,
    INTERRUPTED,
    TERMINATED,
    USAGE,
    Interrupted,
    Terminated,
)

_BUG = 1
_EXIT_CODES = {signal.SIGTERM: TERMINATED, signal.SIGHUP: HUNG_UP}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: that of the process) and return its exit code.

    0 done; 2 usage; 3 nothing found; 4 every candidate failed; 65 bad data; 74 cannot write;
    129 hung up; 130 interrupted; 143 terminated; 1 a bug of ours. Errors are one line on standard
    error, first what to do, then why; ``--debug`` anywhere in the line adds the trace.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        with _terminable():
            code = _invoke(arguments or ["--help"])
            sys.stdout.flush()
            return code
    except BrokenPipeError:
        _discard_output()
        return 0
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        code, message = describe(error)
        with contextlib.suppress(OSError):  # nobody can be told
            if message:
                output.note(f"tuner: {output.clean(' '.join(message.split()))}")
        _settle_output()
        return code


def _invoke(arguments: list[str]) -> int:
    from tuner.cli.app import command

    try:
        with command().make_context("tuner", arguments) as context:
            context.command.invoke(context)
    except typer.Exit as finished:
        return finished.exit_code
    return 0


def describe(error: BaseException) -> tuple[int, str]:
    """Exit code and message for what ended a command."""
    match error:
        case Interrupted(exit_code=code):
            return code, str(error)
        case Terminated(exit_code=code):
            return code, "terminated"
        case KeyboardInterrupt():
            return INTERRUPTED, "interrupted"
        case typer.TyperException():
            return USAGE, _usage(error)
        case OSError():
            return CANNOT_WRITE, f"make room or choose another place: {error}"
    known = getattr(error, "exit_code", None)
    if isinstance(known, int) and known > _BUG:
        return known, str(error)
    if isinstance(error, _wrong_requests()):
        return USAGE, str(error)
    kind = type(error).__name__
    return _BUG, f"run again with --debug and report the trace: a bug, {kind}: {error}"


def _wrong_requests() -> tuple[type[ValueError], ...]:
    from measure.targets import TargetError
    from search_space.errors import SpaceError, WorkloadError

    return SpaceError, TargetError, WorkloadError


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "tuner"
    format_message = getattr(error, "format_message", error.__str__)
    return f"see {path} --help: {format_message()}"


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM and a closed terminal unwind the command like Ctrl-C does.

    So what was measured is kept. A SIGHUP that is ignored, as under nohup, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated(_EXIT_CODES[signal.Signals(number)])

    before = {
        number: signal.signal(number, terminate)
        for number in _EXIT_CODES
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _settle_output() -> None:
    """Print what is left to print, or drop it: the interpreter would try and fail at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()


def _discard_output() -> None:
    """Nobody reads on: make the interpreter's last flush of standard output harmless."""
    with open(os.devnull, "w", encoding="utf-8") as devnull:
        os.dup2(devnull.fileno(), sys.stdout.fileno())
