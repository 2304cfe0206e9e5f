"""Stored-micrograph specimens, synthetic specimens and the simulated microscope."""
