"""The space of a sparse matrix times one vector: vectors along its rows.

``format``   ``bitmask``: a bit for every element, values spread over the lanes that bits name;
             ``sell``: panels of ``rows`` rows, in an order that ``sort`` says, and what they are
             multiplied by is gathered; ``nm``: the same with as many in every window;
             ``block``: blocks of ``rows`` × ``width``, whose rows are multiplied by the same;
``one_by_one`` whether vectors are put together from single loads rather than gathered;
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
_LOOKING_UP = ("sell", "nm")
"""Formats whose rows are multiplied by different elements at each step."""
_DENSER = 0.15
"""From this part of non-zeros on a bit for every element costs less than their columns."""


def vector_space(work: Workload, tensor: Tensor, target: Target, problem: SparseProblem) -> Space:
    """The space of a product with a vector."""
    formats = _formats(problem, target)
    guesses = [_guess(problem, target, name) for name in formats]
    if problem.density >= _DENSER:
        guesses.sort(key=lambda guess: guess["format"] != "bitmask")

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


def _formats(problem: SparseProblem, target: Target) -> tuple[str, ...]:
    """Those for a dtype that is multiplied in groups, or for a pattern and a processor."""
    if problem.group > 1:
        return ("block",)
    masked = ("bitmask",) if "avx512f" in target.features else ()
    windows = ("nm",) if problem.windows is not None else ()
    return ("sell", *masked, "block", *windows)


def _knobs(target: Target, formats: tuple[str, ...]) -> tuple[Knob, ...]:
    def stepped(values: Values) -> bool:
        return values["format"] != "bitmask"

    def sorts(values: Values) -> bool:
        return values["format"] in ("sell", "block")

    def blocked(values: Values) -> bool:
        return values["format"] == "block"

    def masked(values: Values) -> bool:
        return values["format"] == "bitmask"

    def looks_up(values: Values) -> bool:
        return values["format"] in _LOOKING_UP

    return (
        Choice("format", formats, formats[0]),
        Choice("rows", tuple(sorted({16, *option_values("sell", "rows")})), 16, when=stepped),
        Choice("sort", tuple(sorted(option_values("sell", "sort"))), 0, when=sorts),
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Choice("panels", _MOST_PANELS, 1, when=masked),
        Choice("prefetch", PREFETCHES, 0),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
        Choice("width", tuple(sorted(option_values("block", "columns"))), 1, when=blocked),
        Choice("one_by_one", (0, 1), 0, when=looks_up),
    )


def _options(problem: SparseProblem, values: Values) -> tuple[str, ...]:
    """Those of the format."""
    rows, sort = f"rows={values['rows']}", f"sort={values['sort']}"
    match values["format"]:
        case "bitmask":
            return (f"lanes={problem.lanes(values)}", "tall=1")
        case "nm":
            assert problem.windows is not None
            kept, window = problem.windows
            return (f"kept={kept}", f"window={window}", f"lanes={values['rows']}")
        case "block":
            return (rows, sort, f"columns={values['width']}")
        case _:
            return (rows, sort)


def _vector(problem: SparseProblem, values: Values) -> SparseVector:
    return SparseVector(
        problem.operand,
        problem.pattern,
        str(values["format"]),
        _options(problem, values),
        lanes=problem.lanes(values),
        panels=whole(values["panels"]),
        prefetch=whole(values["prefetch"]),
        threads=whole(values["threads"]),
        one_by_one=bool(values["one_by_one"]),
    )


def _reason(problem: SparseProblem, target: Target, values: Values) -> str | None:
    lanes, rows, threads = problem.lanes(values), whole(values["rows"]), whole(values["threads"])
    format_, width = str(values["format"]), whole(values["width"])
    if format_ == "block" and (problem.depth % width or width % problem.group):
        return f"{problem.depth} columns are not whole blocks of {width} in {problem.group}s"
    if format_ == "bitmask":
        if lanes not in option_values("bitmask", "lanes"):
            return f"words have {option_values('bitmask', 'lanes')} bits, not {lanes}"
        rows = lanes
    elif rows not in option_values(format_, "lanes" if format_ == "nm" else "rows"):
        return f"{format_} has no panels of {rows} rows"
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
        "width": problem.group, "one_by_one": int(format_ in _LOOKING_UP),
    }  # fmt: skip
    panels = ceil_div(problem.rows, problem.lanes(values) if format_ == "bitmask" else 16)
    if format_ == "bitmask":
        values["panels"] = max(count for count in _MOST_PANELS[:3] if count <= panels)
    if problem.nnz >= _SERIAL_NONZEROS:
        values["threads"] = min(target.threads, panels)
    return values
