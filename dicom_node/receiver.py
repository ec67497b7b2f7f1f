"""The SCP of storage and storage commitment: starts, stops, and knows who is connected."""

from __future__ import annotations

from threading import Thread
from typing import Any, Final

import structlog
from pynetdicom import evt

from dicom_node.application_entity import (
    AssociationServer,
    ReceiverOptions,
    make_application_entity,
    quieten_libraries,
)
from dicom_node.commitment_reports import CommitmentReporter
from dicom_node.handlers import (
    Destination,
    handle_association_request,
    handle_commitment,
    handle_echo,
    handle_store,
)
from inference.errors import ConfigurationError

__all__ = ["Receiver", "ReceiverOptions"]

LOG = structlog.get_logger(__name__)
_POLL_S: Final = 0.1


class Receiver:
    """Listens for associations and keeps what they send.

    Parameters
    ----------
    options
        How it listens.
    destination
        Where instances go.
    """

    def __init__(self, options: ReceiverOptions, destination: Destination) -> None:
        self._options = options
        self._destination = destination
        self._reporter = CommitmentReporter(options.commitment_peers)
        self._server: Any = None
        self._thread: Thread | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; meaningful once started."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Bind and listen in a thread of its own; returns when connections are taken.

        Raises
        ------
        ConfigurationError
            If the address cannot be bound.
        """
        quieten_libraries()
        options = self._options
        try:
            self._server = make_application_entity(options).make_server(
                (options.host, options.port),
                evt_handlers=self._handlers(),
                server_class=AssociationServer,
                reuse_port=options.reuse_port,
            )
        except OSError as error:
            raise ConfigurationError(f"cannot listen on {options.host}:{options.port}: {error.strerror}") from error
        self._thread = Thread(target=self._server.serve_forever, args=(_POLL_S,), name="dicom-receiver", daemon=True)
        self._thread.start()
        LOG.info("receiver started", ae_title=str(options.ae_title), port=self.port)

    def stop(self, grace_s: float = 5.0) -> None:
        """Take no more connections, let open associations end, then abort what is left.

        Parameters
        ----------
        grace_s
            How long each open association may take to end by itself.
        """
        if self._thread is None:
            return
        self._server.stop_listening()
        self._reporter.stop()
        self._thread.join()
        self._thread = None
        for association in self._server.active_associations:
            association.join(grace_s)
            if association.is_alive():
                association.abort()
        LOG.info("receiver stopped")

    def open_associations(self, calling_ae: str) -> int:
        """Count the established associations of a sender.

        Parameters
        ----------
        calling_ae
            Its AE title.
        """
        return sum(
            association.is_established and association.requestor.ae_title.strip() == calling_ae.strip()
            for association in self._server.active_associations
        )

    def _handlers(self) -> list[tuple[Any, ...]]:
        return [
            (evt.EVT_REQUESTED, handle_association_request, [self._options.accepted_called_titles]),
            (evt.EVT_C_ECHO, handle_echo),
            (evt.EVT_C_STORE, handle_store, [self._destination]),
            (evt.EVT_N_ACTION, handle_commitment, [self._destination.index, self._reporter]),
        ]
