"""A runner that calls a function instead of a graph, for tests of what is done around a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from inference.domain.model_spec import ModelSpec
from inference.ports import ModelRunner, Tensor


@dataclass
class FunctionRunner(ModelRunner):
    """Gives what a function makes of the input.

    Parameters
    ----------
    function
        From the input tensor to the outputs; one array stands for the only output.
    inputs
        What it was given, in order.
    """

    function: Callable[[Tensor], Tensor | tuple[Tensor, ...]]
    inputs: list[Tensor] = field(default_factory=list)

    def run(self, spec: ModelSpec, tensor: Tensor) -> tuple[Tensor, ...]:
        """Call the function."""
        self.inputs.append(tensor)
        made = self.function(tensor)
        return made if isinstance(made, tuple) else (np.array(made),)

    def providers(self, spec: ModelSpec) -> tuple[str, ...]:
        """Name what it runs on."""
        return ("TestProvider",)
