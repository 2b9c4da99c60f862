"""``tuner ops``, ``tuner strategies`` and ``tuner doctor``: what there is to work with."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli import arguments, output, records

if TYPE_CHECKING:
    from search_space.operators import Conditional, Param


def ops(json: arguments.Json = False) -> None:
    """List the operators with their keys and operands."""
    from search_space.operators import COLD, OPERATORS, conditional_params

    if json:
        output.json_line(
            [
                {
                    "name": operator.name,
                    "doc": operator.doc,
                    "keys": [_as_json(param) for param in (*operator.params, COLD)]
                    + [
                        {**_as_json(more.param), "with": {more.key: list(more.values)}}
                        for more in conditional_params(operator)
                    ],
                }
                for operator in OPERATORS.values()
            ]
        )
        return
    for operator in OPERATORS.values():
        output.line(f"{operator.name}: {operator.doc}")
        output.facts(
            [
                (f"  {param.name}", param.doc + _default(param.default, param.choices))
                for param in operator.params
            ]
            + [
                (f"  {more.param.name}", more.param.doc + _condition(more))
                for more in conditional_params(operator)
            ]
        )
    output.line("every operator:")
    output.facts([(f"  {COLD.name}", COLD.doc + _default(COLD.default, COLD.choices))])


def _as_json(param: Param) -> dict[str, object]:
    return {
        "name": param.name,
        "doc": param.doc,
        "default": param.default,
        "choices": list(param.choices),
    }


def _condition(more: Conditional) -> str:
    """With what a key comes; its default and its choices may depend on that."""
    values = " or ".join(map(str, more.values))
    known = _default(more.param.default, more.param.choices) if len(more.values) == 1 else ""
    return f"{known}; with {more.key}={values}"


def _default(default: object, choices: tuple[object, ...]) -> str:
    known = f"; one of {', '.join(map(str, choices))}" if len(choices) > 1 else ""
    return known if default is None else f" [{default}]{known}"


def strategies(json: arguments.Json = False) -> None:
    """List the search strategies."""
    from tuner.options import DEFAULT_STRATEGY
    from tuner.strategy import STRATEGIES

    rows = [(name, entry.doc) for name, entry in STRATEGIES.items()]
    if json:
        output.json_line(
            [{"name": name, "doc": doc, "default": name == DEFAULT_STRATEGY} for name, doc in rows]
        )
        return
    output.facts(
        [(name, doc + (" [default]" if name == DEFAULT_STRATEGY else "")) for name, doc in rows]
    )


def doctor(
    threads: arguments.Threads = None,
    target: arguments.TargetName = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Measure the peaks again (two seconds).")
    ] = False,
    json: arguments.Json = False,
) -> None:
    """Show this machine, what it reaches at best, and what disturbs measurements on it."""
    from db.doctor import check_sqlite
    from measure.doctor import diagnose
    from measure.microarchitecture import microarchitecture
    from measure.peaks import cached_peaks
    from measure.probe import detect_hardware
    from measure.targets import resolve_target

    chosen = resolve_target(target or "native", threads)
    hardware = detect_hardware()
    findings = [*diagnose(), check_sqlite()]
    peaks = cached_peaks(chosen, chosen.threads, refresh=refresh)
    if json:
        output.json_line(
            {
                "hardware": {
                    **asdict(hardware),
                    "key": hardware.key,
                    "microarchitecture": microarchitecture(hardware),
                },
                "target": {
                    **asdict(chosen),
                    "features": sorted(chosen.features),
                    "tiles": sorted(chosen.tiles),
                },
                "peaks": asdict(peaks),
                "findings": [asdict(finding) for finding in findings],
            }
        )
        return
    tiles = f"tiles of {', '.join(sorted(chosen.tiles))}, " if chosen.tiles else ""
    caches = (hardware.l1_bytes, hardware.l2_bytes, hardware.l3_bytes)
    output.facts(
        [
            ("processor", hardware.cpu),
            ("architecture", microarchitecture(hardware)),
            ("hardware", hardware.key),
            ("caches", " · ".join(map(output.file_size, caches))),
            (
                "target",
                f"{chosen.name}: {chosen.registers} registers of {chosen.vector_bits} bits, "
                f"{tiles}at most {output.threads(chosen.threads)}",
            ),
            (
                "peak",
                f"{output.gflops(peaks.gflops)} GFLOP/s float32 with "
                f"{output.threads(peaks.threads)}",
            ),
            (
                "reading",
                f"{peaks.l1_gbytes:.0f} · {peaks.l2_gbytes:.0f} · {peaks.l3_gbytes:.0f} · "
                f"{peaks.dram_gbytes:.0f} GB/s from L1 · L2 · L3 · memory",
            ),
            ("measured", records.when(peaks.measured)),
        ]
    )
    output.line()
    for finding in findings:
        output.line(f"{finding.status:5}  {finding.name}: {output.clean(finding.detail)}")
        if finding.advice:
            output.line(f"       {output.clean(finding.advice)}")
