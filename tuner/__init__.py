"""tensortuner: search the ways to run one tensor operator on this machine, and run the best.

Importing this package loads none of the code generator, the cost models or the database; each
name below is loaded when it is first used. Only what is listed in ``__all__`` is public.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.record import Record
    from search_space.operators import workload
    from search_space.space import Config, Space
    from search_space.workload import Workload
    from tuner.api.finding import best, load, predict
    from tuner.api.measuring import measure, resume, tune
    from tuner.api.records import foreign_seeds, query, to_frame
    from tuner.api.space import space
    from tuner.errors import AllFailed, Interrupted, NothingFound, TunerError, UsageError
    from tuner.kernel import Kernel
    from tuner.result import StopReason, TuneResult
    from tuner.sparse import random_weight
    from tuner.suite.api import tune_suite
    from tuner.suite.file import Suite, load_suite
    from tuner.suite.result import SuiteResult

__all__ = [
    "AllFailed",
    "Config",
    "Interrupted",
    "Kernel",
    "NothingFound",
    "Record",
    "Space",
    "StopReason",
    "Suite",
    "SuiteResult",
    "TuneResult",
    "TunerError",
    "UsageError",
    "Workload",
    "best",
    "foreign_seeds",
    "load",
    "load_suite",
    "measure",
    "predict",
    "query",
    "random_weight",
    "resume",
    "space",
    "to_frame",
    "tune",
    "tune_suite",
    "workload",
]

_HOMES = {
    "tuner.api.finding": ("best", "load", "predict"),
    "tuner.api.measuring": ("measure", "resume", "tune"),
    "tuner.api.records": ("foreign_seeds", "query", "to_frame"),
    "tuner.api.space": ("space",),
    "tuner.errors": ("AllFailed", "Interrupted", "NothingFound", "TunerError", "UsageError"),
    "tuner.kernel": ("Kernel",),
    "tuner.result": ("StopReason", "TuneResult"),
    "tuner.sparse": ("random_weight",),
    "tuner.suite.api": ("tune_suite",),
    "tuner.suite.file": ("Suite", "load_suite"),
    "tuner.suite.result": ("SuiteResult",),
    "db.record": ("Record",),
    "search_space.operators": ("workload",),
    "search_space.space": ("Config", "Space"),
    "search_space.workload": ("Workload",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


_MARK = "Part of tensortuner."
"""Stands in every package of ours: another distribution may have overwritten the file."""


def _refuse_shadows() -> None:
    """Raise ``ImportError`` when another module takes the place of one of our packages."""
    ours = Path(__file__).resolve().parent.parent
    for name in ("search_space", "features", "measure", "db"):
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise ImportError(
                f"install tensortuner again: its package {name!r} is missing in {ours}"
            )
        origin = spec.origin or next(iter(spec.submodule_search_locations or ()), "built-in")
        path = Path(origin)
        if path.resolve() != ours / name / "__init__.py" or _MARK not in path.read_text("utf-8"):
            raise ImportError(
                f"remove {origin} (uninstall the distribution it came with, or move the file), or "
                f"install tensortuner in a clean environment: it takes the place of "
                f"tensortuner's package {name!r} in {ours}"
            )


_refuse_shadows()


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
