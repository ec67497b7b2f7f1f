"""Unit tests of the demonstration."""
