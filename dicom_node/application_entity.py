"""Our application entity: who we are, whom we let in, and how long and how much we listen."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from socketserver import BaseServer
from typing import Final

import pydicom.config
from pynetdicom import AE, _config
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from dicom_node.contexts import supported_contexts
from inference.domain.identifiers import AETitle
from inference.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from integrations.orthanc.peer import Peer

LARGEST_PDU_BYTES: Final = 1 << 20
"""No PDU may claim more: an association request with 128 contexts needs some 20 kB, and our own maximum is lower.
pynetdicom would read whatever the header claims, up to 4 GiB."""


@dataclass(frozen=True, slots=True)
class ReceiverOptions:
    """How the receiver listens.

    Parameters
    ----------
    ae_title
        Our AE title.
    host, port
        Where to listen; port 0 takes any free one.
    called_ae_titles
        Titles under which we may be called; ours alone when empty.
    calling_ae_titles
        Who may call; anybody when empty.
    maximum_associations
        How many at once; one more is refused as transient (PS3.8 section 9.3.4).
    acse_timeout_s, dimse_timeout_s, network_timeout_s
        Longest wait for an association request, for the rest of a message, and for anything at all.
    maximum_pdu_bytes
        Largest PDU that we ask peers to send.
    reuse_port
        Whether several receiver processes share the port (SO_REUSEPORT).
    commitment_peers
        Senders that take reports on storage commitment at an address of theirs; any other is told on the association
        on which it asks.
    """

    ae_title: AETitle
    host: str = "127.0.0.1"
    port: int = 0
    called_ae_titles: frozenset[AETitle] = frozenset()
    calling_ae_titles: frozenset[AETitle] = frozenset()
    maximum_associations: int = 25
    acse_timeout_s: float = 30.0
    dimse_timeout_s: float = 60.0
    network_timeout_s: float = 60.0
    maximum_pdu_bytes: int = 131_072
    reuse_port: bool = False
    commitment_peers: tuple[Peer, ...] = ()

    @property
    def accepted_called_titles(self) -> frozenset[AETitle]:
        """The titles under which we may be called."""
        return self.called_ae_titles or frozenset({self.ae_title})


def make_application_entity(options: ReceiverOptions) -> AE:
    """Give the pynetdicom AE of the receiver.

    Parameters
    ----------
    options
        How it listens.

    Returns
    -------
    AE
        With our own implementation identifiers (PS3.7 annex D.3.3.2), contexts, limits and allow-lists.
    """
    entity = AE(ae_title=str(options.ae_title))
    entity.implementation_class_uid = str(IMPLEMENTATION_CLASS_UID)
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.supported_contexts = supported_contexts()
    entity.maximum_associations = options.maximum_associations
    entity.maximum_pdu_size = options.maximum_pdu_bytes
    entity.acse_timeout = options.acse_timeout_s
    entity.dimse_timeout = options.dimse_timeout_s
    entity.network_timeout = options.network_timeout_s
    entity.require_called_aet = True
    entity.require_calling_aet = sorted(options.calling_ae_titles)
    return entity


def quieten_libraries() -> None:
    """Keep received values out of the log lines of pynetdicom and the warnings of pydicom.

    Sets globals of theirs, so only a starting receiver calls it. Values are checked where they are used.
    """
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    for library in ("pydicom", "pynetdicom"):
        logging.getLogger(library).setLevel(logging.CRITICAL)


class BoundedSocket(AssociationSocket):  # type: ignore[misc]
    """Reads no PDU larger than ``LARGEST_PDU_BYTES`` and never waits for a silent peer without end.

    It also acknowledges at once (TCP_QUICKACK): senders that write command and data set in small pieces wait for our
    TCP acknowledgement in between, 40 ms by default on Linux, which was seven eighths of the time per small image.
    """

    def recv(self, nr_bytes: int) -> bytearray:
        """Read exactly ``nr_bytes``, fewer only where the peer closed the connection.

        Raises
        ------
        OSError
            If a PDU claims too much, or the peer stays silent for longer than the timeout.
        """
        if nr_bytes > LARGEST_PDU_BYTES:
            self._shutdown_socket()
            raise ConnectionAbortedError("a PDU claims to be too long")
        established = self.assoc.is_established
        self.socket.settimeout(self.assoc.network_timeout if established else self.assoc.acse_timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        buffer = bytearray(nr_bytes)
        view = memoryview(buffer)
        done = 0
        while done < nr_bytes:
            received = self.socket.recv_into(view[done:])
            if received == 0:
                return buffer[:done]
            done += received
        return buffer


class BoundedRequestHandler(RequestHandler):  # type: ignore[misc]
    """Makes associations that read through a ``BoundedSocket``."""

    def _create_association(self) -> object:
        association = super()._create_association()
        association.dul.event_queue.get_nowait()  # each socket announces the connection; it must be told once
        association.dul.socket = BoundedSocket(association, client_socket=self.request)
        return association


class AssociationServer(ThreadedAssociationServer):  # type: ignore[misc]
    """One thread per association, bounded reads, and a port that other processes may share.

    Parameters
    ----------
    reuse_port
        Whether to set SO_REUSEPORT.
    arguments, keywords
        As for pynetdicom's server.
    """

    request_queue_size = 64
    daemon_threads = True

    def __init__(self, *arguments: object, reuse_port: bool = False, **keywords: object) -> None:
        self._reuse_port = reuse_port
        super().__init__(*arguments, request_handler=BoundedRequestHandler, **keywords)

    def server_bind(self) -> None:
        """Set SO_REUSEPORT where wanted, then bind."""
        if self._reuse_port:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

    def stop_listening(self) -> None:
        """End ``serve_forever`` and close the listening socket; associations go on."""
        BaseServer.shutdown(self)
        self.server_close()
