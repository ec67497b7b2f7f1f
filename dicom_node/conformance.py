"""The DICOM conformance statement (PS3.2), written from what the code really negotiates."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.uid import UID

from dicom_node.commitment import MOST_REFERENCES
from dicom_node.commitment_reports import PAUSES_S
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

COMMITMENT_ROWS = (
    ("0000", "Success", "the report follows"),
    ("0110", "Processing failure", "the database cannot be read, or an error of ours; ask again"),
    ("0112", "No such SOP instance", "the request is not about the well-known instance"),
    ("0115", "Invalid argument value", "the action information is missing, torn, or names no valid UIDs"),
    ("0118", "No such SOP class", "the request is about another class than its presentation context"),
    ("0123", "No such action", "the action is not 1"),
    ("0213", "Resource limitation", f"more than {MOST_REFERENCES} instances, or too many reports under way"),
)

COMMITMENT_NOTES = f"""\
Committed are instances whose bytes are on stable storage and whose row is committed, under the SOP class that the
sender names. Any other is reported with Failure Reason 0112, or 0119 where the class differs. The report goes to the
address that the settings name for the sender, on an association that we open as SCP, and is tried {len(PAUSES_S) + 1}
times. A sender without an address gets it on the association on which it asked. The node keeps what it receives for
its own work; it is no archive."""

SCU_ROWS = (
    ("Segmentation, Label Map Segmentation, Comprehensive SR Storage", "archive", "results"),
    ("Secondary Capture, Encapsulated PDF, Parametric Map, Key Object Selection Storage", "archive", "results"),
    ("Study Root Query/Retrieve FIND", "archive", "instance counts, read-back of results"),
    ("Storage Commitment Push Model", "archive", "where it is set for a destination"),
    ("Storage Commitment Push Model (role SCP)", "sender", "reports, where an address is set"),
    ("Verification", "archive", "`dicom-node doctor`"),
)

SCU_NOTES = """\
Results are sent in Explicit VR Little Endian; where it is set and the archive accepts it, in Deflated Explicit VR
Little Endian, or those with 8-bit pixels in RLE Lossless. Each encoding is proposed in a context of its own."""


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
        "## Storage commitment",
        _table(("status", "meaning", "when"), COMMITMENT_ROWS),
        COMMITMENT_NOTES,
        "## As SCU",
        _table(("service", "to", "use"), SCU_ROWS),
        SCU_NOTES,
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
