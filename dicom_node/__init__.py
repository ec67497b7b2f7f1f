"""The DICOM door of the node: receive, assemble, work, and the command line."""

__version__ = "0.1.0"
