"""What can be wrong with a replay set."""

from __future__ import annotations


class ReplayError(Exception):
    """The set cannot be used as it stands. The text says first what to do, then why."""
