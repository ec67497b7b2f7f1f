"""The DICOM conformance statement (PS3.2), written from what the code really negotiates."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.uid import UID

from dicom_node.contexts import RECEIVED_TRANSFER_SYNTAXES, supported_contexts
from inference.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from integrations.settings import Settings

STATUS_ROWS = (
    ("0000", "Success", "bytes are on stable storage and the database row is committed"),
    ("A700", "Out of resources", "disk under its reserve, or the database cannot be written; send again later"),
    ("A900", "Data set does not match SOP class", "identifiers of data set and command set differ"),
    ("C000", "Cannot understand", "a mandatory identifier is missing or is no valid UID, or the data set is torn"),
    ("0110", "Processing failure", "an error of ours; send again"),
)


def statement(settings: Settings) -> str:
    """Write the statement as Markdown.

    Parameters
    ----------
    settings
        The node's settings: AE titles, ports, limits.
    """
    contexts = supported_contexts()
    parts = [
        "# DICOM conformance statement: NeuroNova Node",
        "## Networking",
        _table(("item", "value"), _networking(settings)),
        "## SOP classes as SCP",
        _table(("SOP class", "UID"), ((UID(str(c.abstract_syntax)).name, str(c.abstract_syntax)) for c in contexts)),
        "## Transfer syntaxes as SCP",
        _table(("transfer syntax", "UID"), ((UID(uid).name, uid) for uid in RECEIVED_TRANSFER_SYNTAXES)),
        "## C-STORE statuses",
        _table(("status", "meaning", "when"), STATUS_ROWS),
        "## As SCU",
        _table(
            ("service", "to", "use"),
            (
                ("Segmentation Storage, Comprehensive SR Storage", "archive", "results, Explicit VR Little Endian"),
                ("Study Root Query/Retrieve FIND", "archive", "instance counts, read-back of results"),
                ("Storage Commitment Push Model", "archive", "where it is configured"),
                ("Verification", "archive", "`dicom-node doctor`"),
            ),
        ),
        "## Character sets",
        "Sources may use any character set of PS3.3 section C.12.1.1.2; results are written in ISO_IR 192.",
        "## Security",
        "Called and calling AE titles are checked against lists. Received values never become paths.",
        "TLS is left to the network in this version.",
    ]
    return "\n\n".join(parts) + "\n"


def _networking(settings: Settings) -> Iterable[tuple[str, str]]:
    yield "AE titles we answer to", ", ".join(settings.accepted_ae_titles)
    yield "calling AE titles", ", ".join(settings.calling_ae_titles) or "any"
    yield "port", str(settings.dicom_port)
    yield "associations at a time", str(settings.max_associations)
    yield "asynchronous operations window", "not supported (1/1)"
    yield "Implementation Class UID", IMPLEMENTATION_CLASS_UID
    yield "Implementation Version Name", IMPLEMENTATION_VERSION_NAME


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
