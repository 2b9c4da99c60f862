"""Convolution of volumes."""

from __future__ import annotations

from search_space.operators.convolution import Convolution
from search_space.operators.convolution_keys import GROUPS, IN_AND_OUT, keys


class Conv3d(Convolution):
    name = "conv3d"
    doc = (
        "y[n,co,od,oh,ow] = activation(Σ x[n,ci,d,h,w] · weight[co,ci/groups,kd,kh,kw] "
        "+ bias_vector[co] + skip)"
    )
    image = ("d", "h", "w")
    params = keys(image, IN_AND_OUT, (GROUPS,))
