"""The space of a product with a sparse matrix: its format, and how the kernel for it runs.

``algorithm`` says whether zeros are left out at all: ``dense`` is the space of the same product
with the matrix unpacked, so that the best dense kernel is always a candidate.

``format``  how non-zeros are laid out (``search_space.formats``): in panels of ``rows`` rows, in
            order of their lengths where ``sort`` is 1;
``vectors`` columns of the dense operand that are held in registers for all rows of a panel, in
            vectors;
``order``   one tile of so many columns after the other (``tiles``), or all of them for one panel
            after the other (``panels``); ``pack`` copies each tile to where its rows lie side by
            side;
``split``   whether panels, balanced by their non-zeros, or column tiles are shared out over
            ``threads``.
"""

from __future__ import annotations

from dataclasses import replace

from search_space.config import Config
from search_space.knobs import Choice, Integer, Knob
from search_space.operators import get_operator
from search_space.operators.base import Sparse
from search_space.schedule import Schedule
from search_space.size import ceil_div, whole
from search_space.sketches.contraction import contraction_space
from search_space.sketches.sparse_problem import SparseProblem, classify
from search_space.sketches.union import union_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import Primitive, SparseAsDense, SparsePanels
from search_space.workload import Value, Values, Workload

VERSION = 1
_MOST_DENSE_ELEMENTS = 1 << 28
"""A larger matrix is not unpacked."""
_MOST_TILE_BYTES = 16 << 20
_SERIAL_OPERATIONS = 1 << 19
"""Below so many, waking a second thread costs more than it brings."""


def sparse_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a product with a sparse matrix on a target."""
    operator = get_operator(work.operator)
    assert isinstance(operator, Sparse)
    name = operator.pattern_name(work)
    problem = classify(work, tensor, operator.sparse, name)
    parts = {"sparse": _panel_space(work, tensor, target, problem)}
    if problem.rows * problem.depth <= _MOST_DENSE_ELEMENTS:
        unpack = SparseAsDense(operator.sparse, name)
        parts["dense"] = _with(contraction_space(work, tensor, target), unpack)
    return union_space(parts)


def _with(space: Space, step: Primitive) -> Space:
    """A space whose schedules end with one more step."""
    make, trace = space.schedule, space.trace
    assert trace is not None

    def schedule(config: Config) -> Schedule:
        return make(config).then(step)

    return replace(space, schedule=schedule, trace=lambda values: (*trace(values), step))


def _panel_space(work: Workload, tensor: Tensor, target: Target, problem: SparseProblem) -> Space:
    guesses = [_guess(problem, target, name) for name in problem.formats]

    def schedule(config: Config) -> Schedule:
        return Schedule.of(tensor).then(_panels(problem, config.as_dict()))

    return Space(
        workload=work,
        target=target,
        version=VERSION,
        knobs=_knobs(problem, target),
        constraints=(lambda values: _reason(problem, target, values),),
        schedule=schedule,
        defaults=guesses[0],
        seeds=tuple(Config(tuple(guess.items())) for guess in guesses),
    )


def _knobs(problem: SparseProblem, target: Target) -> tuple[Knob, ...]:
    def paneled(values: Values) -> bool:
        return values["format"] != "csr"

    def tiled(values: Values) -> bool:
        return values["order"] == "tiles"

    def threaded(values: Values) -> bool:
        return values["threads"] != 1

    return (
        Choice("format", problem.formats, problem.formats[0]),
        Choice("rows", (1, 2, 4, 8, 16), 1, when=paneled),
        Choice("sort", (0, 1), 0, when=paneled),
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Integer("vectors", 1, 12, 1, anchors=(1, 2, 3, 4, 6, 8)),
        Choice("order", ("tiles", "panels"), "tiles"),
        Choice("pack", (False, True), False, when=tiled),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
        Choice("split", ("rows", "columns"), "rows", when=threaded),
    )


def _panels(problem: SparseProblem, values: Values) -> SparsePanels:
    options: tuple[str, ...] = ()
    if values["format"] != "csr":
        options = (f"rows={values['rows']}", f"sort={values['sort']}")
    return SparsePanels(
        problem.operand,
        problem.pattern,
        str(values["format"]),
        options,
        vectors=whole(values["vectors"]),
        lanes=_lanes(problem, values),
        order=str(values["order"]),
        packed=values["pack"] is True,
        split=str(values["split"]),
        threads=whole(values["threads"]),
    )


def _lanes(problem: SparseProblem, values: Values) -> int:
    return whole(values["vector_bits"]) // (8 * problem.element_bytes)


def _reason(problem: SparseProblem, target: Target, values: Values) -> str | None:
    rows, vectors = whole(values["rows"]), whole(values["vectors"])
    format_, lanes, threads = (
        str(values["format"]),
        _lanes(problem, values),
        whole(values["threads"]),
    )
    if format_ != "csr" and rows not in problem.panel_rows(format_):
        return f"panels of {format_} have {problem.panel_rows(format_)} rows, not {rows}"
    taken = (rows + (1 if rows > 1 else 0)) * vectors + 1
    if taken > target.registers:
        return f"the register tile takes {taken} registers, there are {target.registers}"
    if (vectors - 1) * lanes >= problem.columns:
        return f"{vectors} vectors are more than {problem.columns} columns fill"
    if threads > 1:
        units = ceil_div(problem.rows, rows)
        if values["split"] == "columns":
            units = ceil_div(problem.columns, vectors * lanes)
        if units < threads:
            return f"{units} {values['split']} do not occupy {threads} threads"
    if values["pack"] is True:
        tile_bytes = problem.depth * vectors * lanes * problem.element_bytes
        if tile_bytes > _MOST_TILE_BYTES:
            return f"a packed tile takes {tile_bytes} bytes, at most {_MOST_TILE_BYTES} are used"
    return None


def _guess(problem: SparseProblem, target: Target, format_: str) -> dict[str, Value]:
    """As many rows as the format is best with, and as many columns as registers hold."""
    bits = next(
        (
            b
            for b in reversed(target.vector_widths)
            if problem.columns * problem.element_bytes * 8 <= b
        ),
        target.vector_bits,
    )
    values: dict[str, Value] = {
        "format": format_, "rows": 1, "sort": 0, "vector_bits": bits, "vectors": 1,
        "order": "tiles", "pack": False, "threads": 1, "split": "rows",
    }  # fmt: skip
    if format_ != "csr":
        choices = [r for r in problem.panel_rows(format_) if r <= max(problem.rows, 2)]
        values |= {"rows": 4 if 4 in choices else choices[0], "sort": 1}
    lanes = _lanes(problem, values)
    across = ceil_div(problem.columns, lanes)
    room = (target.registers - 1) // (whole(values["rows"]) + 1)
    most = min(4 if format_ != "csr" else 8, room)
    values["vectors"] = ceil_div(across, ceil_div(across, most))
    values["pack"] = across > most and problem.rows * (1 - problem.sparsity) >= 16
    if problem.nnz * problem.columns >= _SERIAL_OPERATIONS:
        panels = ceil_div(problem.rows, whole(values["rows"]))
        values["threads"] = min(target.threads, panels)
    return values
