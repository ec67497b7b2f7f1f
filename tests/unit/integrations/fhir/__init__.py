"""Tests of the FHIR adapters."""
