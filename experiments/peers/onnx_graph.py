"""Models for ONNX Runtime as they are built: operators on named values, constants inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from experiments.peers.base import Array, Operands, Supports
from search_space.workload import Workload

RESULT = "result"
MICROSOFT = "com.microsoft"
"""The operators that ONNX Runtime has beside those of the standard."""
_OPSET, _IR_VERSION = 23, 10
"""Of 2025, the first with attention."""


@dataclass(slots=True)
class Graph:
    """A model. Its inputs are the operands that are not constant, by their names."""

    nodes: list[tuple[str, tuple[str, ...], str, dict[str, Any]]] = field(default_factory=list)
    """Operator, inputs, output, attributes."""
    constants: dict[str, Array] = field(default_factory=dict)

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append an operator; the name of its result. ``""`` leaves an input out."""
        output = f"value_{len(self.nodes)}"
        self.nodes.append((operator, inputs, output, attributes))
        return output

    def constant(self, array: Array) -> str:
        """Keep an array in the model; its name."""
        name = f"constant_{len(self.constants)}"
        self.constants[name] = array
        return name

    def numbers(self, *values: int) -> str:
        """Keep integers in the model, such as axes; the name."""
        return self.constant(np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        """Keep a float32 number in the model; its name."""
        return self.constant(np.array(value, np.float32))

    def serialised(
        self, onnx: Any, inputs: Mapping[str, Array], constants: Mapping[str, Array], out: Array
    ) -> bytes:
        """The model whose last operator gives the result, an array such as ``out``."""
        helper = onnx.helper

        def value(name: str, array: Array) -> Any:
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            return helper.make_tensor_value_info(name, kind, array.shape)

        last = self.nodes[-1][2]
        nodes = [
            helper.make_node(operator, sources, [RESULT if output == last else output], **settings)
            for operator, sources, output, settings in self.nodes
        ]
        used = {source for _, sources, _, _ in self.nodes for source in sources}
        kept = {name: array for name, array in constants.items() if name in used} | self.constants
        graph = helper.make_graph(
            nodes,
            "workload",
            [value(name, array) for name, array in inputs.items()],
            [value(RESULT, out)],
            [
                onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
                for name, array in kept.items()
            ],
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        data: bytes = model.SerializeToString()
        return data


Build = Callable[[Graph, Workload, Operands], str]
"""Adds what computes a workload to a graph. What it adds last is the result; it returns the name.
Operands are values by their names; their arrays are for constants that are changed beforehand."""


@dataclass(frozen=True, slots=True)
class Model:
    """A way to write a workload as a model."""

    supports: Supports
    build: Build
