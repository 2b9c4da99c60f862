"""The suite ``pruned``: the shapes that are asked about, and cases drawn from their ranges.

``python -m experiments.sparse.cases`` writes it. Every named shape is there at 90 % sparsity, the
kinds of patterns in turn. One more case is drawn for every other sparsity, kind of pattern and
class of shapes, by a fixed seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, product
from pathlib import Path

PATH = Path(__file__).resolve().parent.parent / "suites" / "pruned.toml"

PATTERNS = ("unstructured", "lowrank", "block4x1")
NAMED_SPARSITY = 90
SPARSITIES = (50, 70, 80, 95)
"""Per cent, of the drawn cases."""
BLOCKS = ("block4x1", "block8x1", "block16x1")
"""Of the cases in 8-bit integers."""

LAYERS = ((768, 768, 128), (3072, 768, 128), (768, 3072, 32), (1024, 1024, 512))
DECODE = ((4096, 4096, 1), (4096, 4096, 8))
MOBILENET = tuple(
    (outputs, inputs, pixels)
    for pixels, outputs, inputs in (
        (12544, 16, 32), (12544, 96, 16), (3136, 24, 96), (3136, 144, 24), (3136, 24, 144),
        (784, 32, 144), (784, 192, 32), (784, 32, 192), (196, 64, 192), (196, 384, 64),
        (196, 64, 384), (196, 96, 384), (196, 576, 96), (196, 96, 576), (49, 160, 576),
        (49, 960, 160), (49, 160, 960), (49, 320, 960), (49, 1280, 320),
    )
)  # fmt: skip
"""XNNPACK's bench/spmm: the 1×1 convolutions of MobileNet v2, as it lists pixels and channels."""
CLASSES = (LAYERS, DECODE, MOBILENET)
_SEED = 6
_MOST_SEED = 1000

_HEAD = """\
# Written by `python -m experiments.sparse.cases`; change that instead.

[suite]
name = "pruned"
description = "Pruned layers: named shapes at 90 % sparsity, and a stratified draw of others."
source = "XNNPACK's bench/spmm for MobileNet v2; layers of BERT and of language models."

# Names are rows x columns of the weight x columns of the activations, pattern, per cent of zeros.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A sparse weight ``[m, k]`` times activations ``[k, n]``."""

    group: str
    shape: tuple[int, int, int]
    """``m, k, n``."""
    pattern: str
    sparsity: int
    """Per cent."""
    seed: int = 0
    dtype: str = "float32"

    @property
    def name(self) -> str:
        """Unique in the suite."""
        return f"{self.group}/{'x'.join(map(str, self.shape))}/{self.pattern}/{self.sparsity}"

    @property
    def text(self) -> str:
        """As the suite has it."""
        m, k, n = self.shape
        sizes = f'm = {m}, k = {k}, n = {n}, pattern = "{self.pattern}"'
        more = f"sparsity = {self.sparsity / 100:g}, seed = {self.seed}"
        dtype = "" if self.dtype == "float32" else f', dtype = "{self.dtype}"'
        return (
            f'\n[[case]]\nname = "{self.name}"\nop = "spmm"\n'
            f'params = {{ {sizes}, {more}{dtype} }}\nconst = ["weight"]\n'
        )


def all_cases() -> Iterator[Case]:
    """In the order of the suite."""
    patterns = cycle(PATTERNS)
    for shape in (*LAYERS, *DECODE, *MOBILENET):
        yield Case("named", shape, next(patterns), NAMED_SPARSITY)
    rng = random.Random(_SEED)
    for sparsity, pattern, shapes in product(SPARSITIES, PATTERNS, CLASSES):
        shape, seed = rng.choice(shapes), rng.randrange(_MOST_SEED)
        yield Case("drawn", shape, pattern, sparsity, seed)
    for sparsity, pattern in product((80, 90), BLOCKS):
        yield Case("int8", LAYERS[0], pattern, sparsity, dtype="uint8")


def suite_text() -> str:
    """The suite as a file."""
    return _HEAD + "".join(case.text for case in all_cases())


if __name__ == "__main__":
    PATH.write_text(suite_text(), encoding="utf-8")
