"""Tests of the folders as an archive."""
