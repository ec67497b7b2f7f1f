"""The transfer syntaxes that this node can decode: one list for the receiver's contexts and for the volume builder.

Decoders are permissively licensed: pydicom itself, pylibjpeg-openjpeg (MIT), pyjpegls (MIT), Pillow (HPND) and
GDCM (BSD). The retired JPEG processes 6/8 and 10/12 and Deflated Image Frame Compression have no decoder here; what
cannot be decoded must not be offered as a presentation context (PS3.8 section 9.3.2).
"""

from __future__ import annotations

from typing import Final

from inference.domain.identifiers import UID

DEFLATED: Final = UID("1.2.840.10008.1.2.1.99")
"""Deflated Explicit VR Little Endian: the whole data set is compressed, not the pixels alone."""

BIG_ENDIAN: Final = UID("1.2.840.10008.1.2.2")
"""Explicit VR Big Endian, retired and still met."""

IMPLICIT: Final = UID("1.2.840.10008.1.2")
"""Implicit VR Little Endian: elements do not say of what kind they are."""

UNCOMPRESSED_TRANSFER_SYNTAXES: Final[tuple[UID, ...]] = (
    UID("1.2.840.10008.1.2.1"),  # Explicit VR Little Endian
    IMPLICIT,
    DEFLATED,
    BIG_ENDIAN,
)
"""Native encodings, the one we like best first (PS3.5 annex A)."""

ENCAPSULATED_TRANSFER_SYNTAXES: Final[tuple[UID, ...]] = (
    UID("1.2.840.10008.1.2.4.90"),  # JPEG 2000 Lossless
    UID("1.2.840.10008.1.2.4.91"),  # JPEG 2000
    UID("1.2.840.10008.1.2.4.80"),  # JPEG-LS Lossless
    UID("1.2.840.10008.1.2.4.81"),  # JPEG-LS Near-lossless
    UID("1.2.840.10008.1.2.4.70"),  # JPEG Lossless, Process 14 selection value 1
    UID("1.2.840.10008.1.2.4.57"),  # JPEG Lossless, Process 14
    UID("1.2.840.10008.1.2.4.51"),  # JPEG Extended, Processes 2 and 4
    UID("1.2.840.10008.1.2.4.50"),  # JPEG Baseline, Process 1
    UID("1.2.840.10008.1.2.4.201"),  # High-Throughput JPEG 2000 Lossless
    UID("1.2.840.10008.1.2.4.202"),  # High-Throughput JPEG 2000 with RPCL Lossless
    UID("1.2.840.10008.1.2.4.203"),  # High-Throughput JPEG 2000
    UID("1.2.840.10008.1.2.5"),  # RLE Lossless
)
"""Compressed encodings (PS3.5 annex A.4)."""

DECODABLE_TRANSFER_SYNTAXES: Final[tuple[UID, ...]] = UNCOMPRESSED_TRANSFER_SYNTAXES + ENCAPSULATED_TRANSFER_SYNTAXES
"""All of them; a test decodes one real slice in each."""
