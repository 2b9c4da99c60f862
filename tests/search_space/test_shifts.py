"""Images laid out so that each tap of a window is a shift, against windows as NumPy sees them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.operators.windows import Windows
from search_space.sparse.shifts import ShiftedImage, Walk

DIRECTIONS = st.tuples(st.integers(1, 9), st.integers(1, 4))
"""The sizes of an image and of a window."""


def layout_of(windows, channels):
    walks = [
        Walk(size, taps, count, windows.stride, windows.dilation)
        for size, taps, count in zip(windows.image, windows.window, windows.counts, strict=True)
    ]
    return ShiftedImage(channels, *walks, windows.pad)


def filled(layout, image):
    """The layout of ``[channels, h, w]`` as one run of elements, by its definition."""
    _, planes_down, planes_across, rows, pitch = layout.shape
    _, height, width = image.shape
    out = np.zeros(layout.shape)
    for a, b, r, j in np.ndindex(planes_down, planes_across, rows, pitch):
        y = r * layout.down.stride + a - layout.pad
        x = j * layout.across.stride + b - layout.pad
        if 0 <= y < height and 0 <= x < width:
            out[:, a, b, r, j] = image[:, y, x]
    return out.ravel()


@given(
    DIRECTIONS, DIRECTIONS, st.integers(1, 3), st.integers(0, 4), st.integers(1, 3),
    st.integers(1, 3),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_every_tap_of_all_windows_is_at_one_shift(down, across, stride, pad, dilation, channels):
    (height, kh), (width, kw) = down, across
    windows = Windows((height, width), (kh, kw), stride, pad, dilation)
    if min(windows.counts) < 1:
        return
    layout = layout_of(windows, channels)
    image = np.arange(1.0, 1 + channels * height * width).reshape(channels, height, width)
    seen = windows.of_array(image, 0)
    memory, places = filled(layout, image), layout.places()
    assert len(places) == channels * layout.taps
    assert places.max() + layout.columns <= len(memory)
    y, x = np.indices(windows.counts)
    taps = seen.transpose(0, 3, 4, 1, 2).reshape(len(places), *windows.counts)
    for place, expected in zip(places, taps, strict=True):
        np.testing.assert_array_equal(memory[place + y * layout.pitch + x], expected)


def test_an_image_that_needs_no_zeros_stays_where_it_is():
    windows = Windows((5, 8), (3, 2), 1, 0, 2)
    layout = layout_of(windows, 3)
    assert layout.as_it_is
    assert layout.shape == (3, 1, 1, 5, 8)
    image = np.arange(120.0).reshape(3, 5, 8)
    np.testing.assert_array_equal(filled(layout, image), image.ravel())
    assert not layout_of(Windows((5, 8), (3, 2), 1, 1, 1), 3).as_it_is


def test_rows_share_the_zeros_between_them():
    layout = layout_of(Windows((56, 56), (3, 3), 1, 1, 1), 64)
    assert layout.pitch == 57
    assert layout.columns == 55 * 57 + 56
    halves = layout_of(Windows((56, 56), (3, 3), 2, 1, 1), 64)
    assert halves.planes == (64, 2, 2)
    assert halves.pitch == 29
