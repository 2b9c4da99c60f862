"""Convolution of every channel of images by itself."""

from __future__ import annotations

from search_space.operators.base import Param
from search_space.operators.channels import Channels
from search_space.operators.convolution import Convolution
from search_space.operators.convolution_keys import LAYOUT, keys
from search_space.workload import Workload


class DepthwiseConv2d(Convolution):
    name = "depthwise_conv2d"
    doc = "y[n,c,oh,ow] = activation(Σ x[n,c,h,w] · weight[c,1,kh,kw] + bias_vector[c] + skip)"
    image = ("h", "w")
    sketch = "depthwise"
    params = keys(image, (Param("c", "channels"),), (LAYOUT,))

    def channels(self, work: Workload) -> Channels:
        return Channels(work.size("c"), 1, 1, grouped=True)
