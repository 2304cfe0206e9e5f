"""From frames to classes: segmentation models, thresholds, and the prediction of fields.

Training, evaluation and prediction of files live in `autoscope.perception.training`, `.evaluation` and
`.prediction`, which import torch.
"""

from autoscope.perception.card import ModelCard, pixel_size_notes, read_card
from autoscope.perception.library import load_segmenter, shipped_model, shipped_models
from autoscope.perception.segmentation import Segmentation, Segmenter
from autoscope.perception.settings import Architecture, Augmentation, Preprocessing, TrainingSettings
from autoscope.perception.threshold import ThresholdSegmenter, fit_thresholds

__all__ = [
    "Architecture",
    "Augmentation",
    "ModelCard",
    "Preprocessing",
    "Segmentation",
    "Segmenter",
    "ThresholdSegmenter",
    "TrainingSettings",
    "fit_thresholds",
    "load_segmenter",
    "pixel_size_notes",
    "read_card",
    "shipped_model",
    "shipped_models",
]
