"""The gate: a learned policy against the best hand-written rule."""
