"""Tests, by what they need: unit, contract, integration, e2e."""
