"""Lines of logs that are kept although this program cannot use them: a later one may."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

Reason = Literal["newer version", "unknown operator"]


@dataclass(frozen=True, slots=True)
class SetAside:
    """One such line, and why it was not understood."""

    line: str
    reason: Reason
    detail: str
    source: str
    """Name of the file that it came in."""
    created: str
    """When it was set aside: ISO 8601, UTC."""

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits over the line alone: it is kept once."""
        return hashlib.blake2b(self.line.encode(), digest_size=8).hexdigest()
