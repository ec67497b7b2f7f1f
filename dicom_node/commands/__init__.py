"""The commands of ``dicom-node``, a module a group; each imports what it needs when it runs."""
