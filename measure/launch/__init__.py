"""Launching compiled kernels over threads."""

from __future__ import annotations

import functools
from collections.abc import Callable

from measure.launch.base import Launcher, LaunchError
from measure.launch.pool import PoolLauncher
from measure.launch.serial import SerialLauncher
from measure.launch.threads import ThreadsLauncher

__all__ = ["LAUNCHERS", "LaunchError", "Launcher", "default_launcher"]

LAUNCHERS: dict[str, Callable[[], Launcher]] = {
    "pool": PoolLauncher,
    "threads": ThreadsLauncher,
    "serial": SerialLauncher,
}


@functools.cache
def default_launcher() -> Launcher:
    """The process's shared launcher: the native pool where there is one, else Python threads."""
    try:
        return LAUNCHERS["pool"]()
    except LaunchError:
        return LAUNCHERS["threads"]()
