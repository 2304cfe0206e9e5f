"""The stepping core, one decision in and one observation out."""
