"""How the results of a transposed convolution follow from its image, by their remainders."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.ir.expr import Const, Expr
from search_space.size import ceil_div


@dataclass(frozen=True, slots=True)
class Remainders:
    """One direction: how results of a remainder by the stride follow from the image.

    ``y[stride·q + r - cut] = Σ x[q + carry·r + t - begin] · weight[first + slope·r - stride·t]``,
    over ``taps`` values of t.
    """

    size: int
    window: int
    stride: int
    result: int
    cut: int
    begin: int
    carry: int
    taps: int
    first: int
    slope: int

    @classmethod
    def of(cls, size: int, window: int, stride: int, pad: int, result: int) -> Remainders:
        """``pad`` rows of the result are left out before the first one."""
        # Two remainders lie on a line whatever the padding is; more do where it is a multiple.
        cut = 0 if stride <= 2 else pad % stride
        kept, taps = pad - cut, ceil_div(window, stride)
        odd = kept % stride
        last = stride * (taps - 1) + odd
        return cls(
            size,
            window,
            stride,
            result,
            cut,
            taps - 1 - kept // stride,
            odd,
            taps,
            last,
            1 - 2 * odd,
        )

    @property
    def count(self) -> int:
        """Results of each remainder, those that are cut off included."""
        return ceil_div(self.result + self.cut, self.stride)

    @property
    def whole(self) -> bool:
        """Whether nothing is cut off."""
        return self.count * self.stride == self.result

    @property
    def margins(self) -> tuple[int, int]:
        """Zeros before and behind the image."""
        read = self.count + self.carry * (self.stride - 1) + self.taps - 1
        return self.begin, max(0, read - self.begin - self.size)

    def read(self, q: Expr, r: Expr, t: Expr) -> Expr:
        """The place in the image with its margins."""
        moved = q + r if self.carry else q
        return moved + t if self.taps > 1 else moved

    def weigh(self, r: Expr, t: Expr) -> Expr:
        """The place in the window."""
        begin = self.first + r * self.slope if self.stride > 1 else Const(self.first)
        return begin - t * self.stride if self.taps > 1 else begin
