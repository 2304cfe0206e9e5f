"""``autoscope classify``: the type of a frame."""
