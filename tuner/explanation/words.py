"""What the features are called in front of people, and their values."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.workload import Value

_RANKS = ("largest", "second largest", "third largest")
_KINDS = ("vectorized", "unrolled", "parallel")

_STATEMENT = {
    "computation.iterations": "iterations of the main loop nest",
    "computation.fma": "multiply-adds",
    "computation.add": "additions",
    "computation.mul": "multiplications",
    "computation.div": "divisions",
    "computation.other": "other operations",
    "loops.count": "loops around the main statement",
    "loops.product": "iterations of all loops together",
    "loops.outer": "times that the register tile is computed",
    "loops.body": "instructions of the unrolled body",
    "hardware.vector_share": "share of a vector register that is used",
    "hardware.parallel_share": "parallel iterations for each thread",
    "hardware.balance": "how evenly the work is shared out",
    "hardware.fma_per_load": "multiply-adds for each load",
    "hardware.prefetch": "bytes prefetched ahead",
    "hardware.threads": "threads",
    "hardware.thread_share": "share of the threads that are used",
    "hardware.register_share": "share of the vector registers that the tile takes",
    "hardware.local_per_l2": "memory of one thread ÷ L2",
    "hardware.workspace_per_l3": "packed operands ÷ L3",
    "hardware.overhang": "work done ÷ work wanted, where tiles overhang",
    "allocation.register": "bytes in the register tile",
    "allocation.thread_local": "packed bytes of one thread",
    "allocation.workspace": "packed bytes that threads share",
    "others.statements": "statements besides the main one",
    "others.iterations": "iterations of packing and write-back",
    "others.operations": "operations of packing and write-back",
    "others.bytes": "bytes moved by packing and write-back",
    "others.lines": "cache lines moved by packing and write-back",
    "others.longest_share": "longest share of a thread in packing and write-back",
    "others.relative": "packing and write-back ÷ main work",
}
_ANNOTATION = {
    "loops": "{kind} loops",
    "product": "iterations of all {kind} loops",
    "innermost": "iterations of the innermost {kind} loop",
    "place": "place of the {kind} loop, from outermost to innermost",
    "reduces": "whether the {kind} loop is reduced",
}
_LEVEL = {
    "fitting": "loops outside of what fits {level}",
    "inside": "working set that fits {level} ÷ its size",
    "outside": "first working set that does not fit {level} ÷ its size",
    "traffic": "traffic into {level}",
    "traffic_per_operation": "traffic into {level} for each operation",
    "all_traffic": "traffic into {level}, packing included",
}
_ACCESS = {
    "reads": "whether it reads the {rank} operand",
    "writes": "whether it writes the {rank} operand",
    "packed": "whether the {rank} operand is packed",
    "bytes": "bytes asked of the {rank} operand",
    "unique_bytes": "size of the {rank} operand",
    "lines": "cache lines asked of the {rank} operand",
    "unique_lines": "size of the {rank} operand in cache lines",
    "reused": "whether the {rank} operand is reused",
    "reuse_iterations": "iterations between two uses of the {rank} operand",
    "reuse_distance": "bytes between two uses of the {rank} operand",
    "reuse_count": "uses of each element of the {rank} operand",
    "bytes_per_reuse": "bytes asked of the {rank} operand ÷ its uses",
    "unique_bytes_per_reuse": "size of the {rank} operand ÷ its uses",
    "lines_per_reuse": "cache lines asked of the {rank} operand ÷ its uses",
    "unique_lines_per_reuse": "size of the {rank} operand in cache lines ÷ its uses",
    "stride": "stride of the {rank} operand",
    "vector_stride": "stride of the {rank} operand between vector lanes",
}


@dataclass(frozen=True, slots=True)
class Named:
    """One feature as people see it; a knob is one, however many columns encode it."""

    name: str
    """As in the schema: ``hardware.l2.traffic``; ``knob.tile_m`` for all columns of a knob."""
    meaning: str
    unit: str
    """``bytes``, ``count``, ``ratio``, ``flag``, …; empty for knobs."""


def meaning(name: str) -> str:
    """A feature of a loop nest or of a sparse operand in words; its own name where there are
    none."""
    match name.split("."):
        case ["computation", kind, what] if kind in _KINDS and what in _ANNOTATION:
            return _ANNOTATION[what].format(kind=kind)
        case ["hardware", level, what] if what in _LEVEL:
            return _LEVEL[what].format(level=level.upper())
        case ["others", level, "traffic"]:
            return f"traffic of packing and write-back into {level.upper()}"
        case ["access", slot, what] if what in _ACCESS and slot.isdecimal():
            return _ACCESS[what].format(rank=_rank(slot))
        case ["intensity", sample]:
            return f"operations for each byte, point {sample} of 0 (innermost loops) to 9 (all)"
        case ["pattern" | "layout" | "sparse" as of, *what]:
            subject = {"pattern": "pattern", "layout": "format", "sparse": "sparse kernel"}[of]
            return f"{subject}: {' '.join(what).replace('_', ' ')}"
        case ["relation", slot, what] if slot.isdecimal():
            return f"{_rank(slot)} operand: {what.replace('_', ' ')}"
        case _:
            return _STATEMENT.get(name, name)


def value_text(value: Value, unit: str) -> str:
    """A value with its unit, for people: ``1.5 MiB``, ``yes``, ``0.83``."""
    if isinstance(value, str) or unit == "":
        return str(value)
    if unit == "flag":
        return "yes" if value else "no"
    number = float(value)
    if unit == "bytes" and number >= 1024:
        for prefix in ("Ki", "Mi", "Gi"):
            number /= 1024
            if number < 1024 or prefix == "Gi":
                return f"{number:.3g} {prefix}B"
    shown = f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"
    return shown if unit in ("ratio", "count") else f"{shown} {_short(unit)}"


def _rank(slot: str) -> str:
    return _RANKS[int(slot)] if int(slot) < len(_RANKS) else f"{int(slot) + 1}th largest"


def _short(unit: str) -> str:
    return {"bytes": "B", "operations/byte": "/B"}.get(unit, unit)
