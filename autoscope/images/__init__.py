"""Reading micrographs, their metadata and their masks; writing masks and pictures."""

from autoscope.images.grey import MAX_PIXELS
from autoscope.images.masks import read_mask, write_index_png, write_png
from autoscope.images.micrograph import Micrograph, read_micrograph

__all__ = ["MAX_PIXELS", "Micrograph", "read_mask", "read_micrograph", "write_index_png", "write_png"]
