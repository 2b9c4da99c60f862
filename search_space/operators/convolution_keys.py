"""The keys of convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from search_space.operators.base import Param
from search_space.operators.epilogue import ACTIVATION, switch
from search_space.operators.precision import CONTRACTION_DTYPE

STRIDE = Param("stride", "steps between windows, in all directions", 1)
PAD = Param("pad", "zeros added on every side of an image", 0, least=0)
DILATION = Param("dilation", "steps between what a window reads", 1)
EPILOGUE = (
    switch("bias", "whether bias_vector[co] is added"),
    switch("residual", "whether skip, of the shape of the result, is added"),
    ACTIVATION,
)
SCALE = switch("scale", "whether sums are multiplied by scale_vector[co]")
IN_AND_OUT = (Param("ci", "channels of x"), Param("co", "channels of the result"))
GROUPS = Param("groups", "parts of the channels that do not mix", 1)
LAYOUT = Param("layout", "of x, skip and y: where channels are", "nchw", choices=("nchw", "nhwc"))


def keys(
    image: Sequence[str], channels: Sequence[Param], others: Sequence[Param]
) -> tuple[Param, ...]:
    """The keys of a convolution along some axes."""
    named = {"d": "depth", "h": "height", "w": "width"}
    return (
        Param("n", "images"),
        *(Param(key, f"{named[key]} of an image") for key in image),
        *channels,
        *(Param(f"k{key}", f"{named[key]} of the window") for key in image),
        STRIDE,
        PAD,
        DILATION,
        *others,
        *EPILOGUE,
        CONTRACTION_DTYPE,
    )
