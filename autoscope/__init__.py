"""autoscope runs a scanning electron microscope until a quantity is known to the accuracy asked for."""

__version__ = "0.1.0"
