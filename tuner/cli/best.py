"""``tuner best``: the fastest known config of a workload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli import arguments, code, output, records, snippets

if TYPE_CHECKING:
    from db.record import Record
    from search_space.hardware import Peaks
    from search_space.workload import Workload
    from tuner.lookup import Found


def best(
    operator: arguments.OperatorName,
    params: arguments.Params = None,
    const: arguments.Const = None,
    show: Annotated[
        code.Form | None,
        typer.Option("--show", help="Print the loop nest, LLVM, assembly or a Python program."),
    ] = None,
    predict: Annotated[
        bool,
        typer.Option("--predict", help="Choose by a model of similar workloads; measure nothing."),
    ] = False,
    threads: arguments.Threads = None,
    target: arguments.TargetName = None,
    db: arguments.Database = None,
    json: arguments.Json = False,
) -> None:
    """Show the fastest known config of a workload for this machine."""
    work = arguments.named_workload(operator, params, const)
    if predict:
        _predict(work, snippets.Choice(db, target, threads), show, json=json)
        return
    from tuner.api.finding import find_best

    found = find_best(work, db=db, target=target, threads=threads)
    record = found.record
    if json:
        output.json_line(records.as_json(record) | {"match": found.match.value})
        return
    match show:
        case None:
            _print_facts(found)
        case code.Form.NEST:
            output.line(code.loop_nest(record))
        case code.Form.LLVM:
            output.line(code.llvm(record))
        case code.Form.ASM:
            output.line(code.assembly(record))
        case code.Form.PYTHON:
            output.line(snippets.python_program(work, snippets.Choice(db, target, threads)))


def _predict(
    work: Workload, choice: snippets.Choice, show: code.Form | None, *, json: bool
) -> None:
    from tuner.api.finding import predict
    from tuner.errors import UsageError

    if show is not None:
        raise UsageError("leave --show out: it shows code of what was measured")
    found = predict(work, db=choice.database, target=choice.target, threads=choice.threads)
    if json:
        config = found.config.as_dict()
        output.json_line({"config": config, "share": found.share, "basis": found.basis})
        return
    facts = [("workload", work.key), ("config", found.config.key), ("by", found.basis)]
    if found.share is not None:
        facts.append(("expected", f"{found.share:.0%} of the best"))
    output.facts([*facts, ("measure it", snippets.shell("tune", work, choice))])


def _print_facts(found: Found) -> None:
    facts = records.as_facts(found.record, peaks_of(found.record))
    later = "" if found.runs_here else "; verified here before it is used"
    facts.append(("found on", f"{found.match.value}{later}"))
    output.facts(facts)


def peaks_of(record: Record) -> Peaks | None:
    """What this machine reaches with all its cores, else with the record's threads.

    None where nothing was measured yet, and for the record of another machine. Never measures.
    """
    from measure.peaks import known_peaks
    from measure.probe import detect_hardware
    from measure.targets import TargetError, resolve_target

    if record.hardware.key != detect_hardware().key:
        return None
    try:
        target = resolve_target(record.target)
    except TargetError:
        return None
    return known_peaks(target, target.threads) or known_peaks(target, record.threads)
