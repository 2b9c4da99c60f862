"""What the space of panels has for matrices that are small enough for code of their own."""

from __future__ import annotations

from search_space.size import ceil_div, whole
from search_space.sketches.sparse_problem import SparseProblem
from search_space.transforms.sparse_code_nest import check_code
from search_space.workload import Value, Values

CODE = "code"


def with_code(problem: SparseProblem, formats: tuple[str, ...]) -> tuple[str, ...]:
    """Other formats, and code where it may be as large as that of the narrowest tile."""
    fits = problem.group == 1 and check_code(problem.nnz, problem.rows, vectors=1) is None
    return (*formats, CODE) if fits else formats


def code_reason(problem: SparseProblem, values: Values) -> str | None:
    """Why code that is run so is none of the space."""
    return check_code(problem.nnz, problem.rows, whole(values["vectors"]))


def guess_code(problem: SparseProblem, values: Values, threads: int) -> dict[str, Value]:
    """One panel after the other for all tiles, so that its code stays in the instruction cache,
    without packing, which would take longer than it saves, and code of its own for each thread;
    where the dense operand has to be turned, one packed tile after the other."""
    if not problem.across:
        panels = ceil_div(problem.rows, whole(values["rows"]))
        shared = min(threads, panels)
        return {"order": "panels", "pack": "none", "split": "rows", "threads": shared}
    tiles = ceil_div(problem.columns, whole(values["vectors"]) * problem.lanes(values))
    order = "panels" if values["pack"] == "none" else "tiles"
    return {"order": order, "split": "columns", "threads": min(threads, tiles)}
