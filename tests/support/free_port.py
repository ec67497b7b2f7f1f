"""TCP ports for servers that cannot choose one themselves: the demonstration's, for the tests' servers too."""

from dicom_node.demo.free_port import free_port

__all__ = ["free_port"]
