"""Tests of the servers behind the gateway."""
