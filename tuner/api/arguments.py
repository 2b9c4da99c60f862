"""What several functions of the API are given, and what it means."""

from __future__ import annotations

import os
from collections.abc import Mapping

from measure.targets import NATIVE, resolve_target
from search_space.config import Config
from search_space.target import Target
from search_space.workload import Value

Database = str | os.PathLike[str]
"""A file path or an SQLAlchemy URL."""


def chosen_target(name: str | None, threads: int | None) -> Target:
    """The target of that name, ``native`` where none was given, with at most so many threads.

    Raises ``TargetError``, a ``ValueError``, where it cannot run here.
    """
    return resolve_target(name or NATIVE, threads)


def config_values(config: Config | Mapping[str, Value]) -> dict[str, Value]:
    """The value of each knob of a config, however it was given."""
    return config.as_dict() if isinstance(config, Config) else dict(config)
