"""Tests of the DICOM door."""
