"""Adapters: what the node calls or keeps, one technology a module."""
