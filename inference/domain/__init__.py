"""Frozen values that travel the line; no behaviour beyond their own consistency."""
