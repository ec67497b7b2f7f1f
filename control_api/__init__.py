"""The HTTP door of the node."""
