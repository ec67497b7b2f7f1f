"""Patients of archive and EMR, brought to the report server: found by identifier, never twice."""
