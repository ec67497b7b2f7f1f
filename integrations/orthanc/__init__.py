"""The archive: C-STORE, read-back and counting over DICOM, or a folder."""
