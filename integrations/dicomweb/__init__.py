"""An archive reached by DICOMweb (PS3.18)."""
