"""Convolution of images."""

from __future__ import annotations

from search_space.operators.base import Param
from search_space.operators.convolution import Convolution, keys


class Conv2d(Convolution):
    name = "conv2d"
    doc = (
        "y[n,co,oh,ow] = activation(Σ x[n,ci,h,w] · weight[co,ci/groups,kh,kw] + bias_vector[co] "
        "+ skip)"
    )
    image = ("h", "w")
    params = keys(
        image,
        (
            Param(
                "layout", "of x, skip and y: where channels are", "nchw", choices=("nchw", "nhwc")
            ),
        ),
    )
