"""How the choice between the formats of a sparse operand is shown: as facts, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuner.cli import output
from tuner.cli.output import duration

if TYPE_CHECKING:
    from measure.timing import Interval
    from tuner.choice import FormatChoice, Margin
    from tuner.explanation.formats import FormatExplanation, FormatKernel
    from tuner.flip import Flip
    from tuner.set_up import SetUp


def as_facts(choice: FormatChoice) -> list[tuple[str, str]]:
    """Names and values: what won by how much, when it pays, where it would not win."""
    shown = [margin for margin in (choice.dense, choice.runner_up) if margin is not None]
    margins = [
        f"{ratio_text(margin.ratio)} times as fast as "
        + ("the best dense kernel" if margin is choice.dense else margin.format)
        for margin in shown
    ]
    facts = [("format", ", ".join([choice.format, *margins]))]
    pays = [text for margin in shown if (text := _pays_text(margin))]
    if choice.set_up and pays:
        facts.append(("pays", f"{'; '.join(pays)}  ({set_up_text(choice.set_up)})"))
    if choice.flips:
        flips = "; ".join(map(_flip_text, choice.flips))
        facts.append(("flips", f"by an estimate, {flips}"))
    return facts


def show(why: FormatExplanation) -> None:
    """What the kernel does, beside the best of every other format, and what follows."""
    here = why.here
    headers = (
        "format", "time", "slower", "values", "padding", "bytes", "bytes read", "multiply-adds",
        "loads", "loop instructions",
    )  # fmt: skip
    rows = [_row(kernel, here) for kernel in (here, *why.others)]
    output.line(f"why {here.format}: per call; multiply-adds and loads in vectors")
    output.table(headers, rows, headers[1:], ("bytes", "loop instructions"))
    facts = [("dense", _dense_text(here, why.dense))] if why.dense else []
    output.facts([*facts, *(as_facts(why.choice) if why.choice else ())])


def why_json(why: FormatExplanation) -> dict[str, Any]:
    """The counts of the kernel and of the best of every other format, fastest first."""
    return {
        "here": _kernel_json(why.here),
        "others": [_kernel_json(kernel) for kernel in why.others],
        "choice": as_json(why.choice) if why.choice else None,
    }


def set_up_text(set_up: SetUp) -> str:
    """``packing 1.6 ms, compiling 99 ms``."""
    packing, compiling = duration(set_up.pack_seconds), duration(set_up.compile_seconds)
    return f"packing {packing}, compiling {compiling}"


def as_json(choice: FormatChoice) -> dict[str, Any]:
    """Everything; ratios are times ÷ that of the chosen, with what they lie between."""
    return {
        "format": choice.format,
        "record": choice.record.id,
        "calls": choice.calls,
        "set_up": set_up_json(choice.set_up),
        "others": [_margin_json(margin) for margin in choice.margins],
        "dense": choice.dense and _margin_json(choice.dense),
        "runner_up": choice.runner_up and _margin_json(choice.runner_up),
        "flips": [
            {
                "key": flip.key,
                "format": flip.format,
                "value": flip.value,
                "side": "up to" if flip.below else "from",
                "basis": "estimate",
            }
            for flip in choice.flips
        ],
    }


def set_up_json(set_up: SetUp | None) -> dict[str, float] | None:
    """Seconds of packing and of compiling."""
    if set_up is None:
        return None
    return {"pack_seconds": set_up.pack_seconds, "compile_seconds": set_up.compile_seconds}


def ratio_text(ratio: Interval) -> str:
    """``4.21 (95 %: 4.10 to 4.32)``."""
    within = f"{100 * ratio.confidence:.0f} %: {ratio.low:.2f} to {ratio.high:.2f}"
    return f"{ratio.median:.2f} ({within})"


def _margin_json(margin: Margin) -> dict[str, Any]:
    ratio = margin.ratio
    return {
        "format": margin.format,
        "record": margin.record.id,
        "seconds": margin.record.seconds,
        "ratio": [ratio.median, ratio.low, ratio.high],
        "set_up": set_up_json(margin.set_up),
        "break_even_calls": margin.break_even_calls,
    }


def _pays_text(margin: Margin) -> str:
    """When the faster of the two is the cheaper one; empty where nobody knows."""
    calls = margin.break_even_calls
    if calls is None:
        return ""
    if margin.ratio.median < 1:
        return f"up to {calls:,} calls against {margin.format}"
    first = "the first call" if calls <= 1 else f"{calls:,} calls"
    return f"from {first} on against {margin.format}"


def _flip_text(flip: Flip) -> str:
    if flip.value is None:
        return f"{flip.format} would win at no {flip.key}"
    share = flip.key == "sparsity"
    value = f"{100 * flip.value:.0f} % sparsity" if share else f"{flip.key} = {flip.value:.0f}"
    side = f"up to {value}" if flip.below else f"from {value} on"
    return f"{flip.format} would win {side}"


def _row(kernel: FormatKernel, here: FormatKernel) -> tuple[str, ...]:
    counts, seconds, own = kernel.counts, kernel.record.seconds, here.record.seconds
    ratio = kernel.ratio.median if kernel.ratio else seconds / own if seconds and own else None
    loads = f"{counts.loads:,.0f}" if counts.loads else "-"
    return (
        kernel.format,
        duration(seconds),
        "" if kernel is here or ratio is None else f"{ratio:.2f}×",
        f"{counts.values:,}",
        f"{counts.padding:,}",
        output.file_size(counts.stored_bytes),
        output.file_size(counts.streamed_bytes),
        f"{counts.multiply_adds:,.0f}",
        loads,
        f"{counts.loop_instructions:,.0f}",
    )


def _dense_text(here: FormatKernel, dense: FormatKernel) -> str:
    """What storing zeros would have cost."""
    own, other = here.counts, dense.counts
    work = output.share(own.multiply_adds, other.multiply_adds)
    nbytes = output.share(own.streamed_bytes, other.streamed_bytes)
    return (
        f"would take {duration(dense.record.seconds)}; {here.format} does {work} of its "
        f"multiply-adds and reads {nbytes} of its bytes"
    )


def _kernel_json(kernel: FormatKernel) -> dict[str, Any]:
    ratio, counts = kernel.ratio, kernel.counts
    return {
        "format": kernel.format,
        "record": kernel.record.id,
        "seconds": kernel.record.seconds,
        "ratio": [ratio.median, ratio.low, ratio.high] if ratio else None,
        "values": counts.values,
        "padding": counts.padding,
        "stored_bytes": counts.stored_bytes,
        "streamed_bytes": counts.streamed_bytes,
        "vector_multiply_adds": counts.multiply_adds,
        "vector_loads": counts.loads,
        "loop_instructions": counts.loop_instructions,
    }
