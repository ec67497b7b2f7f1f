"""The node's own folders as a small DICOMweb archive (PS3.18), for a node without a PACS."""
