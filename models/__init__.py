"""Model packages: manifests, the catalogue that reads them, and their weights."""
