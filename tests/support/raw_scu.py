"""A sender without manners: any bytes as a data set, any identifiers in the command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.presentation import build_context


class RawSCU:
    """One association that sends what it is told.

    Parameters
    ----------
    association
        Established; all contexts accepted.
    """

    def __init__(self, association: Any) -> None:
        self.association = association

    def store(self, data_set: bytes, sop_class: str, sop_instance: str, syntax: str = ExplicitVRLittleEndian) -> Any:
        """Send one C-STORE request as given; give the response primitive, None where none came."""
        context = next(
            c
            for c in self.association.accepted_contexts
            if c.abstract_syntax == sop_class and c.transfer_syntax[0] == syntax
        )
        request = C_STORE()
        request.MessageID = 1
        request.Priority = 2
        request.AffectedSOPClassUID = sop_class
        request.AffectedSOPInstanceUID = sop_instance
        request.DataSet = BytesIO(data_set)
        self.association._reactor_checkpoint.clear()
        self.association.dimse.send_msg(request, context.context_id)
        _, response = self.association.dimse.get_msg(block=True)
        self.association._reactor_checkpoint.set()
        return response


@contextmanager
def raw_scu(
    port: int, classes: Sequence[str] = (MRImageStorage,), syntaxes: Sequence[str] = (ExplicitVRLittleEndian,)
) -> Iterator[RawSCU]:
    """Hold an association with a receiver on the loopback interface."""
    entity = AE(ae_title="RAWSCU")
    entity.dimse_timeout = 5
    entity.acse_timeout = 2
    contexts = [build_context(sop_class, syntax) for sop_class in classes for syntax in syntaxes]
    association = entity.associate("127.0.0.1", port, contexts=contexts, ae_title="NEURONOVA")
    assert association.is_established
    try:
        yield RawSCU(association)
    finally:
        association.release()


def encoded(data_set: Dataset, implicit: bool = False) -> bytes:
    """Encode a data set without File Meta, little endian."""
    stream: bytes | None = encode(data_set, implicit, True)
    assert stream is not None
    return stream
