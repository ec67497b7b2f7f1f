"""Manifests, catalogue and weights."""
