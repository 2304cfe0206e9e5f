"""Micrographs and their metadata, read to arrays with a pixel size."""
