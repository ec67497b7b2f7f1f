"""What the objects of a result are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydicom.dataset import Dataset

from inference.domain.delivery import Order
from inference.domain.model_spec import ModelSpec
from inference.domain.result import AnalysisResult
from inference.domain.study import InstanceIdentity
from inference.domain.volume import Volume
from inference.uids import OutputUIDs


@dataclass(frozen=True, eq=False)
class EncodingInput:
    """Everything the objects are made of.

    Parameters
    ----------
    volume
        The source volume.
    data_sets
        Headers of the source instances, in any order; pixel data need not be there.
    result
        What was found, on the volume's grid.
    spec
        The model; its ``publication`` says which objects are made.
    uids
        Identifiers of the result.
    produced_at
        When the analysis ended, aware; every time in the objects is this one.
    order
        Which objects are wanted, as far as the model publishes them.
    predecessors
        The SRs of the earlier result that this one replaces, one for each encoding of its segmentation; none of the
        first.
    """

    volume: Volume
    data_sets: Sequence[Dataset]
    result: AnalysisResult
    spec: ModelSpec
    uids: OutputUIDs
    produced_at: datetime
    order: Order = field(default_factory=Order)
    predecessors: Sequence[InstanceIdentity] = ()
