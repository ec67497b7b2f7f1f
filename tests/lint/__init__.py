"""Tests of the guards: each must be able to fail."""
