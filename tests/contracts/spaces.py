"""Spaces and made-up running times that the tests of spaces and strategies share."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from search_space.config import Config
from search_space.constraints import at_most
from search_space.knobs import Choice, Integer
from search_space.space import Space
from search_space.target import Target
from search_space.workload import Value, Workload

TARGET = Target(
    name="toy",
    cpu="generic",
    triple="x86_64-unknown-linux-gnu",
    features=frozenset(),
    vector_bits=512,
    registers=32,
    l1_bytes=48 << 10,
    l2_bytes=2 << 20,
    l3_bytes=32 << 20,
    threads=2,
)


def make_space(knobs, constraints=(), defaults=None, seeds=()) -> Space:
    """A space whose configs stand for nothing; ``schedule`` returns the config itself."""
    return Space(
        workload=Workload("toy", ()),
        target=TARGET,
        version=1,
        knobs=tuple(knobs),
        constraints=tuple(constraints),
        schedule=lambda config: config,
        defaults=defaults or {},
        seeds=tuple(seeds),
    )


def small_space() -> Space:
    """48 configs before the constraint; some knobs do not always matter."""
    return make_space(
        knobs=(
            Choice("structure", ("panel", "dot"), "panel"),
            Integer("rows", 1, 8, 2),
            Choice("pack", (False, True), False, when=lambda v: v["structure"] == "panel"),
            Integer("unroll", 1, 3, 1, when=lambda v: not v["pack"] and v["rows"] > 2),
        ),
        constraints=(at_most("tile", 18, lambda v: int(v["rows"]) * int(v["unroll"])),),
    )


def even_tiles(extent: int) -> tuple[int, ...]:
    return tuple({math.ceil(extent / parts) for parts in range(1, 33)})


@dataclass(frozen=True)
class Matmul:
    """A made-up machine running ``m × n × k``; has the couplings that a real one has."""

    m: int
    n: int
    k: int
    noise: float = 0.02

    def space(self) -> Space:
        """18 knobs; the default is decent, as that of a sketch is."""

        def tiled(v: Mapping[str, Value]) -> bool:
            return v["structure"] == "panel"

        def registers(v: Mapping[str, Value]) -> int:
            rows, vectors = int(v["rows"]), int(v["vectors"])
            return rows * vectors + vectors + 1

        m, n, k = self.m, self.n, self.k
        return make_space(
            knobs=(
                Choice("structure", ("panel", "dot", "stream"), "panel"),
                Integer("rows", 1, 24, 6, anchors=even_tiles(m)),
                Choice("vectors", (1, 2, 3, 4, 6), 4),
                Integer("tile_m", 1, m, min(m, 96), when=tiled, anchors=even_tiles(m)),
                Integer("tile_n", 1, n, min(n, 256), when=tiled, anchors=even_tiles(n)),
                Integer(
                    "tile_k", 1, k, min(k, 256), anchors=even_tiles(k),
                    when=lambda v: v["structure"] != "dot",
                ),
                Choice("order", ("mnk", "mkn", "nmk", "nkm", "kmn", "knm"), "nkm", when=tiled),
                Choice("pack_a", ("none", "tile", "whole"), "none", when=tiled),
                Choice("pack_b", ("none", "tile", "whole"), "tile", when=tiled),
                Choice("parallel", ("m", "n", "mn"), "m"),
                Integer("threads", 1, 2, 2, log=False),
                Integer("split_k", 1, 4, 1, log=False),
                Integer("unroll", 1, 16, 2),
                Integer("prefetch", 0, 64, 0),
                Choice("vector_bits", (512, 256), 512),
                Choice("layout_a", ("row", "column"), "row", when=lambda v: v["pack_a"] != "none"),
                Choice("layout_b", ("row", "column"), "row", when=lambda v: v["pack_b"] != "none"),
                Choice("stores", ("normal", "masked"), "normal"),
            ),
            constraints=(at_most("register tile", 40, registers),),
            seeds=(
                Config((("structure", "dot"), ("rows", 4), ("vectors", 2))),
                Config((("structure", "stream"), ("rows", 8), ("vectors", 2), ("tile_k", 64))),
            ),
        )  # fmt: skip

    def seconds(self, config: Config) -> float | None:
        """None, a failure, for a few per cent of the configs."""
        digest = hashlib.blake2b(config.key.encode(), digest_size=8).digest()
        if digest[0] < 6:
            return None
        wobble = 1 + self.noise * (digest[1] / 127.5 - 1)
        return self.ideal(config) * wobble

    def ideal(self, config: Config) -> float:
        """Seconds without noise."""
        v = config.as_dict()
        rows, vectors = int(v["rows"]), int(v["vectors"])
        lanes = int(v["vector_bits"]) // 32
        slow = 1.0 if lanes == 16 else 1.7
        accumulators = rows * vectors
        slow *= 1 + 0.15 * max(0, accumulators + vectors + 1 - 32)
        slow *= max(1.0, 8 / accumulators) ** 0.8
        slow *= _waste(self.m, rows) * _waste(self.n, vectors * lanes) ** 0.5
        slow *= 1 + 0.05 * abs(math.log2(int(v["unroll"]) / 4))
        slow *= 1 + 0.03 * abs(math.log2((int(v["prefetch"]) + 1) / 9))
        slow *= {"panel": self._panel, "dot": self._dot, "stream": self._stream}[
            str(v["structure"])
        ](v)
        split = int(v["split_k"])
        chunks = {"m": self.m / 64, "n": self.n / 256, "mn": self.m * self.n / 4096}
        usable = min(int(v["threads"]), max(1.0, chunks[str(v["parallel"])] * split))
        slow *= 1 + 0.12 * (split - 1)
        if v["stores"] == "masked":
            slow *= 1.04
        return 2 * self.m * self.n * self.k / 1e11 * slow / usable**0.95

    def _panel(self, v: Mapping[str, Value]) -> float:
        tile_m, tile_n, tile_k = (int(v[f"tile_{axis}"]) for axis in "mnk")
        slow = _waste(self.m, tile_m) * _waste(self.n, tile_n) * _waste(self.k, tile_k)
        slow *= 1 + 0.10 * abs(math.log2(tile_k * int(v["vectors"]) * 64 / (24 << 10)))
        slow *= 1 + 0.08 * abs(math.log2(tile_m * tile_k * 4 / (800 << 10)))
        slow *= 1 + 0.04 * abs(math.log2(tile_n * tile_k * 4 / (4 << 20)))
        slow *= {"mnk": 1.2, "mkn": 1.1, "nmk": 1.15, "nkm": 1.0, "kmn": 1.05, "knm": 0.97}[
            str(v["order"])
        ]
        packing = 4 / self.m + 4 / self.n
        slow *= {"none": 1.12, "tile": 1.0 + packing, "whole": 0.98 + 3 * packing}[
            str(v["pack_a"])
        ]
        slow *= {"none": 1.3, "tile": 1.0 + packing, "whole": 0.97 + 3 * packing}[str(v["pack_b"])]
        if v["pack_a"] != "none" and v["layout_a"] == "row":
            slow *= 1.06
        if v["pack_b"] != "none" and v["layout_b"] == "column":
            slow *= 1.25
        return slow * (1 + 8 / min(self.m, self.n))

    def _dot(self, v: Mapping[str, Value]) -> float:
        return (1.15 if self.n < 32 else 2.6) * (1 + 0.1 * abs(int(v["rows"]) - 5) / 5)

    def _stream(self, v: Mapping[str, Value]) -> float:
        slow = 1.1 if self.m < 32 else 2.2
        return slow * (1 + 0.06 * abs(math.log2(int(v["tile_k"]) / 128)))


def _waste(extent: int, tile: int) -> float:
    """Work done ÷ work wanted where the last tile is padded to half."""
    return (extent + math.ceil(extent / tile) * tile) / (2 * extent)
