"""Conformance checks for drivers, shipped for their authors."""
