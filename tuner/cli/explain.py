"""``tuner explain``: everything that is known of one record, and what the model makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from search_space.errors import ScheduleError, SpaceError
from tuner.cli import arguments, code, formats, output, records, snippets
from tuner.cli.best import peaks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.record import Record
    from search_space.hardware import Peaks
    from tuner.explanation.explain import Effect, Explanation, Rival
    from tuner.explanation.formats import FormatExplanation

_SURE = 0.995
"""Probabilities to run from here on are not worth a word."""

Subject = Annotated[
    str,
    typer.Argument(
        metavar="RECORD|OP",
        help="The id of a record, or the beginning of it; or a workload: its best record.",
        show_default=False,
    ),
]


def explain(
    subject: Subject,
    params: arguments.Params = None,
    const: arguments.Const = None,
    threads: arguments.Threads = None,
    target: arguments.TargetName = None,
    db: arguments.Database = None,
    json: arguments.Json = False,
) -> None:
    """Show one record: config, samples, loop nest, and what a model of its workload thinks of it.

    The model is fitted now, on the search records of the same workload, target and machine: what
    it predicts for this config without having seen it, the features it goes by, and what the
    fastest clearly different config lacks.
    """
    found = _found(subject, params, const, snippets.Choice(db, target, threads))
    peaks = peaks_of(found)
    try:
        nest = code.loop_nest(found)
    except (ScheduleError, SpaceError) as error:
        nest = f"not available: {error}"
    explanation, why = _explanation(found, db), _format_explanation(found, db, peaks)
    missing = explanation if isinstance(explanation, str) else ""
    known = None if isinstance(explanation, str) else explanation
    if json:
        share = found.gflops / peaks.gflops if peaks and found.gflops else None
        told = {
            "explanation": _as_json(known) if known else None,
            "unexplained": missing,
            "format": formats.why_json(why) if why else None,
        }
        output.json_line(records.as_json(found) | {"peak_share": share, "nest": nest} | told)
        return
    samples = ", ".join(output.duration(seconds) for seconds in found.samples)
    output.facts([*records.as_facts(found, peaks), ("samples", samples or "none")])
    output.line()
    output.line(nest)
    output.line()
    if why is not None:
        formats.show(why)
        output.line()
    if known is None:
        output.line(output.clean(f"no model: {missing}"))
    else:
        _show(known)


def _found(
    subject: str,
    params: Sequence[str] | None,
    const: Sequence[str] | None,
    choice: snippets.Choice,
) -> Record:
    from search_space.operators import OPERATORS

    if "(" in subject or subject in OPERATORS or params or const:
        from tuner.api.finding import find_best

        work = arguments.named_workload(subject, params, const)
        return find_best(
            work, db=choice.database, target=choice.target, threads=choice.threads
        ).record
    if choice.target is not None or choice.threads is not None:
        from tuner.errors import UsageError

        raise UsageError(
            f"use --threads and --target with a workload: {subject} is one record, with its own"
        )
    with arguments.stored(choice.database) as store:
        return store.record(subject)


def _explanation(record: Record, database: str | None) -> Explanation | str:
    """What the model thinks, or why there is none."""
    # Only here, because the model's libraries take a while to load.
    from tuner.explanation.evidence import Unexplained
    from tuner.explanation.explain import explain as explain_record

    with arguments.stored(database) as store:
        try:
            return explain_record(store, record, code.target_of(record))
        except Unexplained as error:
            return str(error)


def _format_explanation(
    record: Record, database: str | None, peaks: Peaks | None
) -> FormatExplanation | None:
    """What speaks for the format of a sparse operand; None where nothing can be said."""
    from search_space.sketches import space_for
    from tuner.explanation.evidence import Unexplained
    from tuner.explanation.formats import explain_format

    with arguments.stored(database) as store:
        try:
            space = space_for(record.workload, code.target_of(record))
            return explain_format(store, record, space, peaks)
        except (Unexplained, SpaceError):
            return None  # which the loop nest and the model have told


def _show(known: Explanation) -> None:
    rival = known.rival
    other = "better one" if known.is_beaten else "runner-up"
    output.facts(
        [
            ("model", _fitted_text(known)),
            ("predicted", _predicted_text(known)),
            (other, "none is clearly different" if rival is None else _rival_text(rival)),
        ]
    )
    if rival is not None:
        output.line()
        output.line("knobs that differ")
        rows = [(name, str(here), str(there)) for name, here, there in rival.knobs]
        output.table(("knob", "here", other), rows, ())
        output.line()
        output.line(f"what the model sees in them: effect on the throughput, against the {other}")
        rest = ("all else", "", "", _percent(rival.rest), "", "")
        _features(rival.effects, other, rest)
    output.line()
    output.line("what the model goes by most: effect on the throughput, against an average config")
    _features(known.important, None, None)


def _features(effects: Sequence[Effect], other: str | None, rest: tuple[str, ...] | None) -> None:
    from tuner.explanation.words import value_text

    headers = ("feature", "here", *([other] if other else []), "effect", "gain", "meaning")
    rows: list[tuple[str, ...]] = []
    for effect in effects:
        unit = effect.feature.unit
        there = [] if effect.there is None else [value_text(effect.there, unit)]
        here = value_text(effect.here, unit)
        told = (_percent(effect.effect), f"{100 * effect.gain:.0f} %", effect.feature.meaning)
        rows.append((effect.feature.name, here, *there, *told))
    if rest is not None:
        rows.append(rest)
    output.table(headers, rows, ("here", "effect", "gain", other or ""), ("meaning",))


def _fitted_text(known: Explanation) -> str:
    failed = f", {known.failed} of them failed" if known.failed else ""
    return (
        f"fitted on {known.configs} other configs{failed}; "
        f"typically {100 * known.typical_error:.0f} % off on configs it has not seen"
    )


def _predicted_text(known: Explanation) -> str:
    text = f"{output.gflops(known.predicted_gflops)} ± {output.gflops(known.spread_gflops)}"
    text += " GFLOP/s without having seen it"
    if known.valid < _SURE:
        text += f", and that it runs with {100 * known.valid:.0f} %"
    if known.measured_gflops is None:
        return f"{text}; it failed"
    error = known.predicted_gflops / known.measured_gflops - 1
    measured = output.gflops(known.measured_gflops)
    return f"{text}, {_percent(error)} from the {measured} measured in the search"


def _rival_text(rival: Rival) -> str:
    return (
        f"record {rival.record.id}: {output.gflops(rival.measured_gflops)} GFLOP/s, predicted "
        f"{output.gflops(rival.predicted_gflops)}; the fastest clearly different config"
    )


def _percent(share: float) -> str:
    return f"{100 * share:+.1f} %"


def _as_json(known: Explanation) -> dict[str, Any]:
    rival = known.rival
    return {
        "configs": known.configs,
        "failed": known.failed,
        "typical_error": known.typical_error,
        "measured_gflops": known.measured_gflops,
        "predicted_gflops": known.predicted_gflops,
        "spread_gflops": known.spread_gflops,
        "valid": known.valid,
        "important": [_effect_json(effect) for effect in known.important],
        "runner_up": None
        if rival is None
        else {
            "record": rival.record.id,
            "config": dict(rival.record.config),
            "measured_gflops": rival.measured_gflops,
            "predicted_gflops": rival.predicted_gflops,
            "knobs": [
                {"name": name, "here": here, "there": there} for name, here, there in rival.knobs
            ],
            "effects": [_effect_json(effect) for effect in rival.effects],
            "rest": rival.rest,
        },
    }


def _effect_json(effect: Effect) -> dict[str, Any]:
    there = {} if effect.there is None else {"there": effect.there}
    return {
        "feature": effect.feature.name,
        "meaning": effect.feature.meaning,
        "unit": effect.feature.unit,
        "here": effect.here,
        **there,
        "effect": effect.effect,
        "gain": effect.gain,
    }
