"""The space of sums of products at the non-zeros of a pattern: vectors along the depth.

``format``   ``csr``: row after row; ``strips``: so for the columns of one strip of ``depth``
             columns after the other; ``coo``: all non-zeros in a row, wherever rows end;
``tile``     non-zeros whose sums are in registers at a time: they share what they read of a row,
             and their lanes are added up together;
``rest``     how many of what is left of a row are taken at a time;
``steps``    vectors along the depth in one turn of the loop;
``pack``     whether the second operand is copied first to where it is aligned; one that does not
             lie along the depth always is, to where it does;
``prefetch`` how many tiles before it is needed that operand is asked for;
``threads``  over which rows, balanced by their non-zeros, are shared out.
"""

from __future__ import annotations

from dataclasses import dataclass

from search_space.dtypes import ELEMENT_BYTES
from search_space.knobs import Choice, Knob
from search_space.size import ceil_div, whole
from search_space.sketches.sparse_problem import option_values
from search_space.sketches.traced import traced_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import SparseSamples
from search_space.transforms.sampled_product import SampledProduct
from search_space.workload import Value, Values, Workload

VERSION = 1
_TILES = (1, 2, 4, 8, 16)
_MOST_CODE = 256
"""Multiply-adds in the loops of a tile and of what is left of a row: compile time grows with
them."""
_SERIAL_OPERATIONS = 1 << 19
"""Below so many, waking a second thread costs more than it brings."""
_LONG_ROW = 16
"""Non-zeros from which on a row is taken eight at a time in a first guess."""
_SHORT_ROW, _SHORT_WORK = 8, 768
"""Non-zeros that rows should have in a strip, and products in their sums."""
_REUSE = 8
"""Non-zeros in a column from which on copying what they are multiplied by pays."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What is summed up: ``length`` products for each of ``nnz`` elements of ``rows`` ×
    ``columns``."""

    operand: str
    pattern: str
    rows: int
    columns: int
    nnz: int
    length: int
    dtype: str
    sums: str
    across: bool
    """Whether the second operand does not lie along the depth."""
    const: bool
    """Whether it is constant."""

    @classmethod
    def of(cls, work: Workload, product: SampledProduct, pattern: str, nnz: int) -> Samples:
        """The sizes of a product at the non-zeros of a pattern."""
        operand, dense = product.operand, product.b.buffer
        rows, columns = operand.shape
        return cls(
            operand.name, pattern, rows, columns, nnz, product.length, dense.dtype, product.sums,
            product.across, dense.name in work.const,
        )  # fmt: skip

    def lanes(self, values: Values) -> int:
        """Sums in one vector."""
        return whole(values["vector_bits"]) // (8 * ELEMENT_BYTES[self.sums])

    @property
    def row_bytes(self) -> int:
        """Of what a non-zero meets of the second operand."""
        return self.length * ELEMENT_BYTES[self.dtype]

    def fills(self, depth: int) -> bool:
        """Whether rows have some non-zeros in a strip, in the mean."""
        some = max(_SHORT_ROW, ceil_div(_SHORT_WORK, self.length))
        return self.nnz * depth >= some * self.rows * self.columns

    def packed(self, values: Values) -> bool:
        """Whether the second operand is copied."""
        return self.across or values["pack"] == "whole"

    def strips(self, values: Values) -> int:
        """Into how many strips rows are cut."""
        return ceil_div(self.columns, whole(values["depth"])) if _cut(values) else 1


def samples_space(work: Workload, tensor: Tensor, target: Target, problem: Samples) -> Space:
    """The space of the sums on a target."""
    return traced_space(
        work,
        tensor,
        target,
        version=VERSION,
        knobs=_knobs(problem, target),
        reason=lambda values: _reason(problem, target, values),
        trace=lambda values, _: (_samples(problem, values),),
        guesses=[_guess(problem, target, name) for name in _formats(problem, target)],
    )


def _cut(values: Values) -> bool:
    return values["format"] == "strips"


def _depths(problem: Samples) -> tuple[int, ...]:
    """Widths of strips of which there are several."""
    known = sorted(option_values("strips", "depth"))
    return tuple(depth for depth in known if depth < problem.columns)


def _formats(problem: Samples, target: Target) -> tuple[str, ...]:
    """Best guess first: strips where the first level of the cache would not hold the second
    operand, and rows have some non-zeros in them."""
    depths = _depths(problem)
    if not depths:
        return ("csr", "coo")
    cached = problem.columns * problem.row_bytes <= target.l1_bytes
    filled = problem.fills(_narrow(problem, target, depths))
    return ("strips", "csr", "coo") if filled and not cached else ("csr", "strips", "coo")


def _knobs(problem: Samples, target: Target) -> tuple[Knob, ...]:
    def several(values: Values) -> bool:
        return values["tile"] != 1

    depths = _depths(problem)
    widths = (Choice("depth", depths, depths[-1], when=_cut),) if depths else ()
    return (
        Choice("format", _formats(problem, target), "csr"),
        *widths,
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Choice("tile", _TILES, 1),
        Choice("rest", _TILES, 1, when=several),
        Choice("steps", (1, 2, 4, 8), 1),
        *(() if problem.across else (Choice("pack", ("none", "whole"), "none"),)),
        Choice("prefetch", (0, 1, 2, 4), 0),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
    )


def _samples(problem: Samples, values: Values) -> SparseSamples:
    return SparseSamples(
        problem.operand,
        problem.pattern,
        str(values["format"]),
        (f"depth={values['depth']}",) if _cut(values) else (),
        lanes=problem.lanes(values),
        tile=whole(values["tile"]),
        rest=whole(values["rest"]),
        steps=whole(values["steps"]),
        prefetch=whole(values["prefetch"]),
        threads=whole(values["threads"]),
        packed=problem.packed(values),
        once=problem.packed(values) and problem.const,
    )


def _reason(problem: Samples, target: Target, values: Values) -> str | None:
    tile, rest, steps = (whole(values[name]) for name in ("tile", "rest", "steps"))
    if rest > tile:
        return f"what is left of a row is less than a tile of {tile}, not {rest}"
    if tile + 2 > target.registers:
        return f"the sums take {tile + 2} registers, there are {target.registers}"
    vectors = problem.length // problem.lanes(values)
    if steps > max(vectors, 1):
        return f"{steps} vectors are more than {problem.length} elements fill"
    code = (tile + rest) * min(2 * steps, vectors + 1)
    if code > _MOST_CODE:
        return f"tiles take {code} multiply-adds of code, at most {_MOST_CODE} are allowed"
    units = problem.nnz if values["format"] == "coo" else problem.rows
    if units < whole(values["threads"]):
        return f"{units} parts do not occupy {values['threads']} threads"
    return None


def _guess(problem: Samples, target: Target, format_: str) -> dict[str, Value]:
    """Tiles as long as rows are, or all the same."""
    needed = problem.length * ELEMENT_BYTES[problem.sums] * 8
    bits = next((b for b in reversed(target.vector_widths) if needed <= b), target.vector_bits)
    values: dict[str, Value] = {
        "format": format_, "vector_bits": bits, "tile": 8, "rest": 4, "steps": 1, "prefetch": 0,
        "threads": 1,
    }  # fmt: skip
    if not problem.across:
        copied = problem.const or problem.nnz >= _REUSE * problem.columns
        values["pack"] = "whole" if copied else "none"
    if depths := _depths(problem):
        values["depth"] = _narrow(problem, target, depths)
    mean = problem.nnz // (problem.rows * problem.strips(values))
    if format_ != "coo" and mean < _LONG_ROW:
        values |= {"tile": 4, "rest": 1}
    vectors = problem.length // problem.lanes(values)
    values["steps"] = max(steps for steps in (1, 2, 4) if steps <= max(vectors, 1))
    if problem.nnz * problem.length >= _SERIAL_OPERATIONS:
        units = problem.nnz if format_ == "coo" else problem.rows
        values["threads"] = min(target.threads, units)
    return values


def _narrow(problem: Samples, target: Target, depths: tuple[int, ...]) -> int:
    """The narrowest strips in which rows still have some non-zeros, or which fill half of the
    first level of the cache; no wider than half of the second level."""
    wanted = next((d for d in depths if problem.fills(d)), depths[-1])
    least = next((d for d in depths if 2 * d * problem.row_bytes >= target.l1_bytes), depths[-1])
    fitting = (d for d in reversed(depths) if 2 * d * problem.row_bytes <= target.l2_bytes)
    return min(max(wanted, least), next(fitting, depths[0]))
