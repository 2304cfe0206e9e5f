"""Fitting and scoring models of frame types on folders of images, one folder for each type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.torch import save
from torch import nn

from autoscope.core import ConfigurationError
from autoscope.images import read_micrograph
from autoscope.perception.architecture import build_network
from autoscope.perception.card import EncoderWeights
from autoscope.perception.encoder_weights import load_encoder_weights
from autoscope.perception.frame_types import FrameClassifier, describer, fit_head, stored_tensors
from autoscope.perception.frame_types_card import FRAME_TYPES_KEY, FrameTypesCard, TypedFile
from autoscope.perception.output_files import write_whole
from autoscope.perception.pairs import file_sha256, find_images
from autoscope.perception.settings import Architecture, Preprocessing, Settings
from autoscope.perception.training import software_versions
from autoscope.perception.weights import read_network, tensors_sha256

Progress = Callable[[int, int], None]
WINDOW_PX, MOST_WINDOWS, PENALTY = 512, 6, 0.01


@dataclass(frozen=True, slots=True)
class Backbone:
    """What describes frames.

    Attributes:
        encoder: with its weights.
        architecture: it is of.
        preprocessing: of the grey levels.
        encoder_weights: the checkpoint; None where it is a segmentation model's.
        sha256: names the segmentation model; None where it is of a checkpoint.
    """

    encoder: nn.Module
    architecture: Architecture
    preprocessing: Preprocessing
    encoder_weights: EncoderWeights | None
    sha256: str | None


class ScoredFrame(Settings):
    """One frame.

    Attributes:
        image: the file.
        true: its type.
        found: the likeliest type.
        probability: of the found type.
    """

    image: str
    true: str
    found: str
    probability: float


class FrameTypeScores(Settings):
    """How well types are told.

    Attributes:
        types: names, by index.
        accuracy: share of the frames that are right.
        balanced_accuracy: mean over the types of that share.
        confusion: frames; rows are the truth, columns the prediction.
        frames: each with its true and its found type and the probability of the found one.
    """

    types: tuple[str, ...]
    accuracy: float
    balanced_accuracy: float
    confusion: tuple[tuple[int, ...], ...]
    frames: tuple[ScoredFrame, ...]


def segmentation_backbone(model: Path) -> Backbone:
    """The encoder of a segmentation model.

    Raises:
        ModelError: the model cannot be used.
    """
    network, card = read_network(model)
    return Backbone(
        network.get_submodule("encoder"), card.architecture, card.preprocessing, None, card.sha256
    )


def checkpoint_backbone(encoder: str, weights: Path) -> Backbone:
    """An encoder with the weights of a local checkpoint.

    Raises:
        ConfigurationError: the encoder is unknown.
        ModelError: the checkpoint cannot be used.
    """
    architecture = Architecture(encoder=encoder)
    network = build_network(architecture, 2)
    loaded = load_encoder_weights(network, weights)
    return Backbone(network.get_submodule("encoder"), architecture, Preprocessing(), loaded, None)


def train_frame_types(
    folder: Path, output: Path, backbone: Backbone, *, progress: Progress | None = None
) -> FrameTypesCard:
    """Fits a model to a folder of folders of images and writes it with its card.

    Raises:
        ConfigurationError: there are fewer than two types, a type has no images, or the output does not fit.
        ImageError: an image is damaged.
    """
    output = Path(output)
    if output.suffix != ".safetensors" or not output.parent.is_dir():
        raise ConfigurationError(f"{output}: a model file must end in .safetensors, in a folder that exists")
    typed = typed_images(folder)
    names = tuple(typed)
    files = [(name, path) for name, paths in typed.items() for path in paths]
    draft = _draft(names, files, backbone)
    look = describer(backbone.encoder, draft)
    frames = []
    for done, (_, path) in enumerate(files, start=1):
        frames.append(look.describe(read_micrograph(path).pixels))
        if progress is not None:
            progress(done, len(files))
    head = fit_head(frames, [names.index(name) for name, _ in files], len(names), draft.penalty)
    tensors = stored_tensors(backbone.encoder, head)
    card = draft.model_copy(update={"weights_sha256": tensors_sha256(tensors)})
    write_whole(output, save(tensors, metadata={FRAME_TYPES_KEY: card.to_json(indent=None)}))
    write_whole(output.with_suffix(".json"), card.to_json().encode() + b"\n")
    return card


def evaluate_frame_types(
    model: FrameClassifier, folder: Path, *, progress: Progress | None = None
) -> FrameTypeScores:
    """Scores a model on a folder of folders of images.

    Raises:
        ConfigurationError: a folder is no type of the model's, or there are no images.
        ImageError: an image is damaged.
    """
    known, typed = model.card.types, typed_images(folder, fewest=1)
    if unknown := [name for name in typed if name not in known]:
        raise ConfigurationError(
            f"{folder}: the model does not know the types {', '.join(unknown)}; it knows: {', '.join(known)}"
        )
    files = [(name, path) for name, paths in typed.items() for path in paths]
    frames = []
    for done, (name, path) in enumerate(files, start=1):
        found = model.probability(read_micrograph(path).pixels)
        best = max(found, key=lambda one: found[one])
        frames.append(ScoredFrame(image=str(path), true=name, found=best, probability=found[best]))
        if progress is not None:
            progress(done, len(files))
    return frame_type_scores(frames, known)


def frame_type_scores(frames: Sequence[ScoredFrame], types: Sequence[str]) -> FrameTypeScores:
    """Scores of frames whose types were told; types that do not occur do not count."""
    places = {name: index for index, name in enumerate(types)}
    confusion = np.zeros((len(types), len(types)), dtype=np.int64)
    for frame in frames:
        confusion[places[frame.true], places[frame.found]] += 1
    there = confusion.sum(axis=1) > 0
    recall = np.diag(confusion)[there] / confusion.sum(axis=1)[there]
    return FrameTypeScores(
        types=tuple(types),
        accuracy=float(np.trace(confusion) / max(len(frames), 1)),
        balanced_accuracy=float(recall.mean()) if len(recall) else 0.0,
        confusion=tuple(tuple(int(value) for value in row) for row in confusion),
        frames=tuple(frames),
    )


def typed_images(folder: Path, *, fewest: int = 2) -> dict[str, tuple[Path, ...]]:
    """The images of each type, by the name of their folder.

    Raises:
        ConfigurationError: there are too few types, or one has no images.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: there is no such folder")
    inner = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(inner) < fewest:
        raise ConfigurationError(
            f"{folder}: {len(inner)} folders of images are too few: one for each type, at least {fewest}"
        )
    return {path.name: find_images(path) for path in inner}


def _draft(names: tuple[str, ...], files: Sequence[tuple[str, Path]], backbone: Backbone) -> FrameTypesCard:
    return FrameTypesCard(
        types=names, architecture=backbone.architecture, encoder_weights=backbone.encoder_weights,
        backbone_sha256=backbone.sha256, preprocessing=backbone.preprocessing, window_px=WINDOW_PX,
        most_windows=MOST_WINDOWS, penalty=PENALTY,
        training_data=tuple(
            TypedFile(name=path.name, type=name, sha256=file_sha256(path)) for name, path in files
        ),
        software=software_versions(), weights_sha256="",
    )  # fmt: skip
