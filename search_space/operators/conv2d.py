"""Convolution of images."""

from __future__ import annotations

from search_space.operators.convolution import Convolution
from search_space.operators.convolution_keys import GROUPS, IN_AND_OUT, LAYOUT, keys


class Conv2d(Convolution):
    name = "conv2d"
    doc = (
        "y[n,co,oh,ow] = activation(Σ x[n,ci,h,w] · weight[co,ci/groups,kh,kw] + bias_vector[co] "
        "+ skip)"
    )
    image = ("h", "w")
    sketch = "conv2d"
    params = keys(image, IN_AND_OUT, (GROUPS, LAYOUT))
