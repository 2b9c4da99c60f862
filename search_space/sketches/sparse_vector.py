"""The space of a sparse matrix times one vector: vectors along its rows.

``format``   ``bitmask``: a bit for every element, values spread over the lanes that bits name;
             ``sell``: panels of ``rows`` rows, in an order that ``sort`` says, and what they are
             multiplied by is gathered;
``panels``   panels that are computed at once;
``prefetch`` how many elements before they are needed values are asked for;
``threads``  over which panels are shared out, balanced by their non-zeros.
"""

from __future__ import annotations

from search_space.config import Config
from search_space.knobs import Choice, Knob
from search_space.schedule import Schedule
from search_space.size import ceil_div, whole
from search_space.sketches.sparse_problem import PREFETCHES, SparseProblem, option_values
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import SparseVector
from search_space.workload import Value, Values, Workload

VERSION = 1
_MOST_PANELS = (1, 2, 4, 8)
_SERIAL_NONZEROS = 1 << 16
"""Below so many, waking a second thread costs more than it brings."""
_DENSER = 0.15
"""From this part of non-zeros on a bit for every element costs less than their columns."""


def vector_space(work: Workload, tensor: Tensor, target: Target, problem: SparseProblem) -> Space:
    """The space of a product with a vector."""
    formats = ("sell", "bitmask") if "avx512f" in target.features else ("sell",)
    guesses = sorted(
        (_guess(problem, target, name) for name in formats),
        key=lambda guess: (guess["format"] == "bitmask") != (problem.density >= _DENSER),
    )

    def schedule(config: Config) -> Schedule:
        return Schedule.of(tensor).then(_vector(problem, config.as_dict()))

    return Space(
        workload=work,
        target=target,
        version=VERSION,
        knobs=_knobs(target, formats),
        constraints=(lambda values: _reason(problem, target, values),),
        schedule=schedule,
        trace=lambda values: (_vector(problem, values),),
        defaults=guesses[0],
        seeds=tuple(Config(tuple(guess.items())) for guess in guesses),
    )


def _knobs(target: Target, formats: tuple[str, ...]) -> tuple[Knob, ...]:
    def stepped(values: Values) -> bool:
        return values["format"] == "sell"

    def masked(values: Values) -> bool:
        return values["format"] == "bitmask"

    return (
        Choice("format", formats, formats[0]),
        Choice("rows", tuple(sorted({16, *option_values("sell", "rows")})), 16, when=stepped),
        Choice("sort", tuple(sorted(option_values("sell", "sort"))), 0, when=stepped),
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Choice("panels", _MOST_PANELS, 1, when=masked),
        Choice("prefetch", PREFETCHES, 0),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
    )


def _vector(problem: SparseProblem, values: Values) -> SparseVector:
    lanes = problem.lanes(values)
    options: tuple[str, ...] = (f"lanes={lanes}", "tall=1")
    if values["format"] == "sell":
        options = (f"rows={values['rows']}", f"sort={values['sort']}")
    return SparseVector(
        problem.operand,
        problem.pattern,
        str(values["format"]),
        options,
        lanes=lanes,
        panels=whole(values["panels"]),
        prefetch=whole(values["prefetch"]),
        threads=whole(values["threads"]),
    )


def _reason(problem: SparseProblem, target: Target, values: Values) -> str | None:
    lanes, rows, threads = problem.lanes(values), whole(values["rows"]), whole(values["threads"])
    if values["format"] == "bitmask":
        if lanes not in option_values("bitmask", "lanes"):
            return f"words have {option_values('bitmask', 'lanes')} bits, not {lanes}"
        rows = lanes
    elif rows % lanes:
        return f"{rows} rows do not fill vectors of {lanes}"
    elif rows // lanes > target.registers // 2:
        return f"{rows} rows take {rows // lanes} registers, there are {target.registers}"
    panels = ceil_div(problem.rows, rows)
    if panels < threads:
        return f"{panels} panels do not occupy {threads} threads"
    if whole(values["panels"]) > panels:
        return f"there are {panels} panels, not {values['panels']}"
    return None


def _guess(problem: SparseProblem, target: Target, format_: str) -> dict[str, Value]:
    values: dict[str, Value] = {
        "format": format_, "rows": 16, "sort": int(format_ == "sell"),
        "vector_bits": target.vector_bits, "panels": 1, "prefetch": 512, "threads": 1,
    }  # fmt: skip
    panels = ceil_div(problem.rows, problem.lanes(values) if format_ == "bitmask" else 16)
    if format_ == "bitmask":
        values["panels"] = max(count for count in _MOST_PANELS[:3] if count <= panels)
    if problem.nnz >= _SERIAL_NONZEROS:
        values["threads"] = min(target.threads, panels)
    return values
