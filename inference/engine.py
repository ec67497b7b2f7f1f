"""Running ONNX graphs: sessions are loaded once, warmed, kept, and closed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from inference.domain.model_spec import ModelSpec
from inference.errors import DeviceOutOfMemory, DeviceUnavailable, ModelContractViolated, NonFiniteOutput
from inference.ports import ModelRunner, Tensor

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"

_OUT_OF_MEMORY: Final = ("bad_alloc", "out of memory", "failed to allocate", "cuda failure 2")


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How graphs are run.

    Parameters
    ----------
    provider
        ``cpu``, ``cuda``, or ``auto``: CUDA where it can be had, else the CPU.
    intra_op_threads
        Threads of one run; 0 leaves it to ONNX Runtime.
    device_id
        Which CUDA device.
    verify
        Called with the model before its weights are loaded; raises WeightsMismatch. None trusts the file.
    """

    provider: Literal["auto", "cpu", "cuda"] = "auto"
    intra_op_threads: int = 0
    device_id: int = 0
    verify: Callable[[ModelSpec], None] | None = None


class OnnxModelRunner(ModelRunner):
    """Runs models by ONNX Runtime; one session per weights digest, shared by all threads.

    Memory arenas are off on the CPU: the node runs large inputs rarely, and an arena would keep their memory.

    Parameters
    ----------
    options
        Provider, threads and verification.
    """

    def __init__(self, options: EngineOptions = EngineOptions()) -> None:
        self._options = options
        self._sessions: dict[str, InferenceSession] = {}
        self._lock = Lock()

    def run(self, spec: ModelSpec, tensor: Tensor) -> tuple[Tensor, ...]:
        """Run one input through the model's graph.

        Parameters
        ----------
        spec
            The model.
        tensor : (1, channels, D, H, W) float32 ndarray
            The network's input.

        Returns
        -------
        (1, classes, D, H, W) float32 ndarray

        Raises
        ------
        WeightsMismatch, ModelContractViolated, DeviceUnavailable, DeviceOutOfMemory, NonFiniteOutput
        """
        session = self._session(spec)
        try:
            outputs = session.run(list(spec.graph.outputs), {spec.graph.input: tensor})
        except Exception as error:
            raise _translated(error, spec) from error
        _check_output(outputs[0], spec, tensor.shape)
        return tuple(outputs)

    def warm(self, spec: ModelSpec) -> None:
        """Load a model and run it once on zeros, so that the first study does not pay for it.

        Raises
        ------
        WeightsMismatch, ModelContractViolated, DeviceUnavailable, DeviceOutOfMemory, NonFiniteOutput
        """
        self.run(spec, np.zeros((1, 1, *spec.preprocess.shape), dtype=np.float32))

    def providers(self, spec: ModelSpec) -> tuple[str, ...]:
        """Name the execution providers that a model's session really uses, for provenance and health.

        Raises
        ------
        WeightsMismatch, ModelContractViolated, DeviceUnavailable, DeviceOutOfMemory
        """
        return tuple(self._session(spec).get_providers())

    def close(self) -> None:
        """Let go of all sessions and their memory; a later run loads again."""
        with self._lock:
            self._sessions.clear()

    def _session(self, spec: ModelSpec) -> InferenceSession:
        with self._lock:
            session = self._sessions.get(spec.reference.digest)
            if session is None:
                session = self._load(spec)
                self._sessions[spec.reference.digest] = session
            return session

    def _load(self, spec: ModelSpec) -> InferenceSession:
        import onnxruntime

        if self._options.verify is not None:
            self._options.verify(spec)
        settings = onnxruntime.SessionOptions()
        settings.enable_cpu_mem_arena = False
        settings.enable_mem_pattern = False
        settings.intra_op_num_threads = self._options.intra_op_threads
        settings.log_severity_level = 3
        providers = self._providers(onnxruntime.get_available_providers())
        try:
            session = onnxruntime.InferenceSession(str(spec.graph.weights), settings, providers=providers)
        except Exception as error:
            raise _translated(error, spec) from error
        if self._options.provider == "cuda" and CUDA not in session.get_providers():
            raise DeviceUnavailable("CUDA was demanded and could not be started")
        _check_graph(session, spec)
        return session

    def _providers(self, available: list[str]) -> list[str | tuple[str, dict[str, Any]]]:
        cuda = (CUDA, {"device_id": self._options.device_id})
        wanted = self._options.provider
        if wanted == "cpu" or (wanted == "auto" and CUDA not in available):
            return [CPU]
        if CUDA not in available:
            raise DeviceUnavailable("CUDA was demanded and this ONNX Runtime has none")
        return [cuda, CPU]


def _check_graph(session: InferenceSession, spec: ModelSpec) -> None:
    """Compare names, types and fixed dimensions of the graph with the manifest."""
    shape = spec.preprocess.shape
    _check_tensor(session.get_inputs(), ("input", spec.graph.input, (1, 1, *shape)), spec)
    _check_tensor(session.get_outputs(), ("output", spec.graph.outputs[0], (1, len(spec.labels) + 1, *shape)), spec)
    if len(session.get_inputs()) != 1:
        raise ModelContractViolated(f"model {spec.reference.model_id}: the graph has more than one input")


def _check_tensor(tensors: Any, wanted: tuple[str, str, tuple[int, ...]], spec: ModelSpec) -> None:
    side, name, shape = wanted
    found = next((tensor for tensor in tensors if tensor.name == name), None)
    problem = None
    if found is None:
        problem = f"the graph has no {side} named {name}"
    elif found.type != "tensor(float)":
        problem = f"{side} {name} is {found.type}, not float32"
    elif len(found.shape) != len(shape) or any(
        isinstance(is_, int) and is_ != be for is_, be in zip(found.shape, shape, strict=True)
    ):
        problem = f"{side} {name} is {found.shape}, the manifest says {list(shape)}"
    if problem is not None:
        raise ModelContractViolated(f"model {spec.reference.model_id}: {problem}")


def _check_output(logits: NDArray[np.float32], spec: ModelSpec, input_shape: tuple[int, ...]) -> None:
    expected = (1, len(spec.labels) + 1, *input_shape[2:])
    if logits.shape != expected:
        message = f"model {spec.reference.model_id}: the output is {logits.shape}, not {expected}"
        raise ModelContractViolated(message)
    if not np.isfinite(logits).all():
        raise NonFiniteOutput(f"model {spec.reference.model_id}: the output is not finite")


def _translated(error: Exception, spec: ModelSpec) -> DeviceOutOfMemory | ModelContractViolated:
    """Tell a full device, which may be free again later, from a graph that does not fit."""
    name, said = spec.reference.model_id, str(error).lower()
    if isinstance(error, MemoryError) or any(sign in said for sign in _OUT_OF_MEMORY):
        return DeviceOutOfMemory(f"model {name}: the device had too little memory")
    return ModelContractViolated(
        f"model {name}: ONNX Runtime refuses the graph or its input ({type(error).__name__})"
    )
