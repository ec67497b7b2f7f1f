"""Writing ONNX graphs layer by layer, with random weights from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 9

Shape = Sequence[int | str]


class GraphBuilder:
    """Collects the nodes of a graph; every layer takes tensor names and gives that of its output.

    Parameters
    ----------
    dimensions
        Spatial axes of the feature maps: 2 or 3.
    precision
        Element type of weights and features.
    seed
        Of the weights.
    """

    def __init__(self, dimensions: int, precision: type[np.floating[Any]] = np.float32, seed: int = 0) -> None:
        self._dimensions = dimensions
        self._type = np.dtype(precision)
        self._rng = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Add any operator; give its first output."""
        names = [f"{operator.lower()}{len(self._nodes)}_{number}" for number in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0]

    def constant(self, values: Any, dtype: Any = None) -> str:
        """Add a fixed tensor, of the graph's precision where no type is named."""
        name = f"weight{len(self._weights)}"
        array = np.array(values).astype(self._type if dtype is None else dtype)
        self._weights.append(numpy_helper.from_array(array, name))
        return name

    def random(self, *shape: int) -> str:
        """Add random weights that keep the size of what goes through (He et al. 2015)."""
        scale = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.1
        return self.constant(self._rng.normal(0, scale, shape))

    def convolve(self, source: str, channels: tuple[int, int], kernel: int = 3, stride: int = 1) -> str:
        """Convolve with bias and same padding."""
        sides = [kernel] * self._dimensions
        return self.node(
            "Conv",
            source,
            self.random(channels[1], channels[0], *sides),
            self.random(channels[1]),
            kernel_shape=sides,
            pads=[kernel // 2] * (2 * self._dimensions),
            strides=[stride] * self._dimensions,
        )

    def enlarge(self, source: str, channels: tuple[int, int]) -> str:
        """Double the sides by a transposed convolution."""
        sides = [2] * self._dimensions
        weights = self.random(channels[0], channels[1], *sides)
        return self.node(
            "ConvTranspose", source, weights, self.random(channels[1]), kernel_shape=sides, strides=sides
        )

    def instance_norm(self, source: str, channels: int) -> str:
        """Normalise each channel of each sample, with a scale and a shift."""
        scale = self.constant(self._rng.uniform(0.5, 1.5, channels))
        return self.node("InstanceNormalization", source, scale, self.random(channels), epsilon=1e-5)

    def group_norm(self, source: str, channels: int, groups: int) -> str:
        """Normalise groups of channels, written as PyTorch exports it: an instance norm of a reshaped tensor."""
        shape = self.node("Shape", source)
        grouped = self.node("Reshape", source, self.constant([0, groups, -1], np.int64))
        ones, zeros = self.constant(np.ones(groups)), self.constant(np.zeros(groups))
        normal = self.node("Reshape", self.node("InstanceNormalization", grouped, ones, zeros, epsilon=1e-5), shape)
        each = (channels, *[1] * self._dimensions)
        scaled = self.node("Mul", normal, self.constant(self._rng.uniform(0.5, 1.5, each)))
        return self.node("Add", scaled, self.constant(self._rng.normal(0, 0.1, each)))

    def save(self, path: Path, inputs: tuple[str, Shape], *outputs: tuple[str, str, Shape]) -> Path:
        """Write the graph.

        Parameters
        ----------
        path
            The ONNX file.
        inputs
            Name and shape of the input; a string is a symbolic dimension.
        *outputs
            For each the tensor, its name in the graph and its shape.
        """
        element = helper.np_dtype_to_tensor_dtype(self._type)
        said = []
        for tensor, name, shape in outputs:
            integers = name in {"labels", "values"}
            self._nodes.append(helper.make_node("Identity", [tensor], [name]))
            said.append(helper.make_tensor_value_info(name, TensorProto.INT64 if integers else element, shape))
        name, shape = inputs
        given = [helper.make_tensor_value_info(name, element, shape)]
        graph = helper.make_graph(self._nodes, "network", given, said, self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)
        return path
