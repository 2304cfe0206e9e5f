"""From frames to classes."""
