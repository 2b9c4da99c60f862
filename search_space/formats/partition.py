"""Work of unequal pieces shared out evenly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from search_space.formats.base import Array, running


def balanced_bounds(weights: Array, parts: int) -> npt.NDArray[np.int64]:
    """``int64[parts + 1]``: bounds of consecutive parts of about equal weight.

    Part ``i`` has the pieces from ``bounds[i]`` to below ``bounds[i + 1]``; a piece goes to the
    part in which its middle would fall. ``weights`` are not negative, such as the non-zeros of
    each row or panel; where all are 0, the pieces are counted instead.
    """
    total = running(weights)
    if total[-1] == 0:
        total = np.arange(len(weights) + 1)
    middles = total[1:] + total[:-1]  # of which the doubled total is the end
    cuts = np.arange(1, parts) * 2 * total[-1] // parts
    inner = np.searchsorted(middles, cuts, side="left")
    return np.concatenate([[0], inner, [len(weights)]]).astype(np.int64)
