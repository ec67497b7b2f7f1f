"""Patients of archive and EMR."""
