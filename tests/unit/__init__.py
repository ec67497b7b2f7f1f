"""Tests without servers, laid out as the packages are."""
