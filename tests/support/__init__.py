"""Fakes, servers and waits that tests share."""
