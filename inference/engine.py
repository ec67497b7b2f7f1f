"""Running ONNX graphs: sessions are loaded once, warmed, kept, and closed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from inference.domain.model_spec import ModelSpec
from inference.errors import DeviceOutOfMemory, DeviceUnavailable, ModelContractViolated
from inference.graph_contract import check_graph, check_outputs, input_shape
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
    most_sessions
        Models kept loaded.
    """

    provider: Literal["auto", "cpu", "cuda"] = "auto"
    intra_op_threads: int = 0
    device_id: int = 0
    verify: Callable[[ModelSpec], None] | None = None
    most_sessions: int = 8


class OnnxModelRunner(ModelRunner):
    """Runs models by ONNX Runtime; one session per weights digest, shared by all threads.

    Memory arenas are off on the CPU: the node runs large inputs rarely, and an arena would keep their memory. The
    sessions used last are kept; an older one goes, so that versions that were replaced do not stay in memory.

    Parameters
    ----------
    options
        Provider, threads, verification and how many sessions are kept.
    """

    def __init__(self, options: EngineOptions = EngineOptions()) -> None:
        self._options = options
        self._sessions: OrderedDict[str, InferenceSession] = OrderedDict()
        self._lock = Lock()

    def run(self, spec: ModelSpec, tensor: Tensor) -> tuple[Tensor, ...]:
        """Run one batch through the model's graph.

        A graph whose batch is fixed is given a smaller one filled up with zeros; what it says of them is left out.

        Parameters
        ----------
        spec
            The model.
        tensor
            (batch, channels, D, H, W), or (batch, channels x context slices, H, W) for ``Layout.SLICE``, of the
            model's precision.

        Returns
        -------
        tuple of ndarray
            The graph's outputs in the manifest's order; they belong to the caller.

        Raises
        ------
        WeightsMismatch, ModelContractViolated, DeviceUnavailable, DeviceOutOfMemory, NonFiniteOutput
        """
        session = self._session(spec)
        count = len(tensor)
        filled = _filled(tensor, session.get_inputs()[0].shape[0])
        try:
            outputs = session.run(list(spec.graph.outputs), {spec.graph.input: filled})
        except Exception as error:
            raise _translated(error, spec) from error
        check_outputs(outputs, spec, len(filled))
        return tuple(outputs) if len(filled) == count else tuple(output[:count] for output in outputs)

    def warm(self, spec: ModelSpec) -> None:
        """Load a model and run it once on zeros, so that the first study does not pay for it.

        Raises
        ------
        WeightsMismatch, ModelContractViolated, DeviceUnavailable, DeviceOutOfMemory, NonFiniteOutput
        """
        self.run(spec, np.zeros(input_shape(spec, 1), dtype=spec.graph.precision))

    def providers(self, spec: ModelSpec) -> tuple[str, ...]:
        """Name the execution providers that a model's session really uses, for provenance and health.

        Raises
        ------
        WeightsMismatch, ModelContractViolated, DeviceUnavailable, DeviceOutOfMemory
        """
        return tuple(self._session(spec).get_providers())

    def device(self) -> str:
        """Name the execution provider that a model would be given first; nothing is loaded.

        Raises
        ------
        DeviceUnavailable
            If CUDA is demanded and this ONNX Runtime has none.
        """
        import onnxruntime

        first = self._providers(onnxruntime.get_available_providers())[0]
        return first if isinstance(first, str) else first[0]

    def forget(self, spec: ModelSpec) -> None:
        """Let go of a model's session and its memory; a later run loads it again."""
        with self._lock:
            self._sessions.pop(spec.reference.digest, None)

    def close(self) -> None:
        """Let go of all sessions and their memory; a later run loads again."""
        with self._lock:
            self._sessions.clear()

    def _session(self, spec: ModelSpec) -> InferenceSession:
        """Give a model's session; a manifest that changed is compared with its graph although the weights did not."""
        with self._lock:
            session = self._sessions.get(spec.reference.digest) or self._load(spec)
            check_graph(session.get_inputs(), session.get_outputs(), spec)
            self._sessions[spec.reference.digest] = session
            self._sessions.move_to_end(spec.reference.digest)
            if len(self._sessions) > self._options.most_sessions:
                self._sessions.popitem(last=False)
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
        if providers != [CPU]:
            onnxruntime.preload_dlls()  # CUDA and cuDNN of the pip packages, which no search path leads to
        try:
            session = onnxruntime.InferenceSession(str(spec.graph.weights), settings, providers=providers)
        except Exception as error:
            raise _translated(error, spec) from error
        if self._options.provider == "cuda" and CUDA not in session.get_providers():
            raise DeviceUnavailable("CUDA was demanded and could not be started")
        return session

    def _providers(self, available: list[str]) -> list[str | tuple[str, dict[str, Any]]]:
        cuda = (CUDA, {"device_id": self._options.device_id})
        wanted = self._options.provider
        if wanted == "cpu" or (wanted == "auto" and CUDA not in available):
            return [CPU]
        if CUDA not in available:
            raise DeviceUnavailable("CUDA was demanded and this ONNX Runtime has none")
        return [cuda, CPU]


def _filled(tensor: Tensor, batch: int | str | None) -> Tensor:
    """Fill a batch up with zeros where the graph wants more."""
    missing = batch - len(tensor) if isinstance(batch, int) else 0
    if missing <= 0:
        return tensor
    return np.concatenate([tensor, np.zeros((missing, *tensor.shape[1:]), dtype=tensor.dtype)])


def _translated(error: Exception, spec: ModelSpec) -> DeviceOutOfMemory | ModelContractViolated:
    """Tell a full device, which may be free again later, from a graph that does not fit."""
    name, said = spec.reference.model_id, str(error).lower()
    if isinstance(error, MemoryError) or any(sign in said for sign in _OUT_OF_MEMORY):
        return DeviceOutOfMemory(f"model {name}: the device had too little memory")
    return ModelContractViolated(
        f"model {name}: ONNX Runtime refuses the graph or its input ({type(error).__name__})"
    )
