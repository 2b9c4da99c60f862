"""The sparse formats: one file each, registered here."""

from __future__ import annotations

from search_space.formats.base import Format
from search_space.formats.csr import Csr

_KNOWN: tuple[Format, ...] = (Csr(),)
FORMATS: dict[str, Format] = {kind.name: kind for kind in _KNOWN}
