"""Reading micrographs, their metadata and their masks; writing masks and pictures."""

from autoscope.images.grey import MAX_PIXELS
from autoscope.images.masks import index_colours, read_mask, write_index_png, write_png
from autoscope.images.micrograph import Micrograph, read_micrograph
from autoscope.images.spectrum_image import StoredSpectra, is_spectrum_image, read_spectrum_image

__all__ = [
    "MAX_PIXELS",
    "Micrograph",
    "StoredSpectra",
    "index_colours",
    "is_spectrum_image",
    "read_mask",
    "read_micrograph",
    "read_spectrum_image",
    "write_index_png",
    "write_png",
]
