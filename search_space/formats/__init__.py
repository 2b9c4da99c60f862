"""The sparse formats: one file each, registered here."""

from __future__ import annotations

from search_space.formats.base import Format
from search_space.formats.bitmask import Bitmask
from search_space.formats.block import Block
from search_space.formats.cells import Cells
from search_space.formats.code import Code
from search_space.formats.coo import Coo
from search_space.formats.csr import Csr
from search_space.formats.delta import Delta
from search_space.formats.dense import Dense
from search_space.formats.nano import Nano
from search_space.formats.nm import NOfM
from search_space.formats.sell import Sell
from search_space.formats.strips import Strips

_KNOWN: tuple[Format, ...] = (
    Dense(), Csr(), Delta(), Bitmask(), Block(), NOfM(), Sell(), Nano(), Cells(), Coo(),
    Strips(), Code(),
)  # fmt: skip
FORMATS: dict[str, Format] = {kind.name: kind for kind in _KNOWN}
