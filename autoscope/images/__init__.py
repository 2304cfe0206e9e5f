"""Reading micrographs, their metadata and their masks; writing masks and pictures."""

from autoscope.images.grey import MAX_PIXELS
from autoscope.images.masks import palette, read_mask, write_index_png, write_png
from autoscope.images.micrograph import Micrograph, read_micrograph
from autoscope.images.png_bytes import encode_png
from autoscope.images.spectrum_image import StoredSpectra, is_spectrum_image, read_spectrum_image

__all__ = [
    "MAX_PIXELS",
    "Micrograph",
    "StoredSpectra",
    "encode_png",
    "is_spectrum_image",
    "palette",
    "read_mask",
    "read_micrograph",
    "read_spectrum_image",
    "write_index_png",
    "write_png",
]
