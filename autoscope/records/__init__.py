"""The session on disk: append-only documents and pixel data."""
