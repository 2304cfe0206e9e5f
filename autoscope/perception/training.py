"""Training a segmentation model from images and masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from autoscope.core import ConfigurationError, component_rng
from autoscope.perception.card import DataFile, HeldOutMetrics, ModelCard
from autoscope.perception.checkpoint import checkpoint_path, load_checkpoint
from autoscope.perception.devices import Device, choose_device
from autoscope.perception.evaluation import Evaluation, evaluate_segmenter
from autoscope.perception.library import load_segmenter
from autoscope.perception.pairs import LabelledImage, Pair, file_sha256, find_pairs, read_pair, select
from autoscope.perception.settings import TrainingSettings
from autoscope.perception.trainer import Trainer, TrainingProgress, TrainingSet
from autoscope.perception.weights import add_group, stored_form, tensors_sha256, write_model

_LARGEST_MODEL_CLASSES = 255


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a training run gave.

    Attributes:
        path: the weights file.
        card: its model card.
        evaluation: scores of the stored model on the images held out; None without any.
    """

    path: Path
    card: ModelCard
    evaluation: Evaluation | None


def train(
    images: Path,
    masks: Path,
    classes: Sequence[str],
    output: Path,
    *,
    settings: TrainingSettings | None = None,
    encoder_weights: Path | None = None,
    start: Path | None = None,
    device: Device = "auto",
    restart: bool = False,
    progress: Callable[[TrainingProgress], None] | None = None,
) -> TrainingResult:
    """Trains a model on the images of a folder and writes it with its card.

    Images and masks pair by file name. Where the same training was interrupted, it goes on from
    ``output.checkpoint`` and gives the weights that it would have given. Images that are held out calibrate
    the model at the end; without any it has no calibration.

    Args:
        images: folder of images.
        masks: folder of masks of the same names, whose values index the classes.
        classes: their names.
        output: the ``.safetensors`` file to write.
        settings: how to train.
        encoder_weights: local checkpoint that the encoder begins with.
        start: model of the same architecture whose weights training begins with.
        device: where to train.
        restart: begin afresh even where an interrupted training is kept.
        progress: hears of every step.

    Raises:
        ConfigurationError: folders, names, settings or output do not fit.
        ImageError: an image or mask is damaged or does not fit.
        ModelError: the encoder's weights cannot be used, the checkpoint is damaged, or training diverged.
    """
    return train_pairs(
        find_pairs(images, masks),
        classes,
        output,
        settings=settings,
        encoder_weights=encoder_weights,
        start=start,
        device=device,
        restart=restart,
        progress=progress,
    )


def train_pairs(
    pairs: Sequence[Pair],
    classes: Sequence[str],
    output: Path,
    *,
    settings: TrainingSettings | None = None,
    encoder_weights: Path | None = None,
    start: Path | None = None,
    device: Device = "auto",
    restart: bool = False,
    progress: Callable[[TrainingProgress], None] | None = None,
) -> TrainingResult:
    """As `train`, on chosen pairs of files."""
    settings, output = settings or TrainingSettings(), Path(output)
    _check_arguments(classes, output, encoder_weights, start)
    training, validation = split_pairs(pairs, settings)
    data = _read_set(training, validation, classes)
    place = choose_device(device)
    trainer = Trainer(settings, tuple(classes), data, encoder_weights, place, start)
    checkpoint = checkpoint_path(output)
    state = None if restart else load_checkpoint(checkpoint, trainer.fingerprint, place)
    if state is not None:
        trainer.restore(state)
    best = stored_form(trainer.run(checkpoint, progress))
    card = _card(trainer, training, validation, data, tensors_sha256(best))
    write_model(output, best, card)
    evaluation = None
    if data.validation:
        _calibrate(output, data.validation, device)
        evaluation = evaluate_segmenter(load_segmenter(output, device=device), data.validation)
        scores = HeldOutMetrics(
            mean_iou=evaluation.mean_iou, accuracy=evaluation.accuracy, per_class=evaluation.per_class
        )
        card = add_group(output, "held_out", {}, held_out=scores)
    card = _familiar(output, card, data, device)
    checkpoint.unlink(missing_ok=True)
    return TrainingResult(output, card, evaluation)


def _calibrate(output: Path, validation: Sequence[LabelledImage], device: Device) -> None:
    from autoscope.perception.calibrating import calibrate_on

    calibrate_on(output, validation, device=device)


def _familiar(output: Path, card: ModelCard, data: TrainingSet, device: Device) -> ModelCard:
    """Teaches a trained model what its own images look like, where there are enough of them."""
    from autoscope.perception.familiarity_fitting import can_be_fitted, fit_familiarity

    images = [one.micrograph.pixels for one in (*data.training, *data.validation)]
    return fit_familiarity(output, images, device=device) if can_be_fitted(images) else card


def split_pairs(
    pairs: Sequence[Pair], settings: TrainingSettings
) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Pairs to train on and pairs to hold out, whole files: those that are named, or a share at random.

    Raises:
        ConfigurationError: a name is unknown, or nothing is left to train on.
    """
    if settings.validation_images:
        held_out = select(pairs, settings.validation_images)
    else:
        count = round(settings.validation_share * len(pairs)) if len(pairs) > 2 else 0
        order = component_rng(settings.seed, "validation split").permutation(len(pairs))
        held_out = tuple(pairs[i] for i in sorted(order[:count]))
    names = {pair.name for pair in held_out}
    training = tuple(pair for pair in pairs if pair.name not in names)
    if not training:
        raise ConfigurationError(
            f"all {len(pairs)} images are held out for validation: none is left to train on"
        )
    return training, held_out


def _check_arguments(
    classes: Sequence[str], output: Path, encoder_weights: Path | None, start: Path | None
) -> None:
    problems = []
    if encoder_weights is not None and start is not None:
        problems.append(
            f"begin with the encoder of {encoder_weights} or with the model {start}, not with both"
        )
    if len(classes) < 2:
        problems.append(
            f"a segmentation needs at least 2 classes, {len(classes)} given: name the background too"
        )
    if len(classes) > _LARGEST_MODEL_CLASSES:
        problems.append(f"{len(classes)} classes are more than a mask can hold: {_LARGEST_MODEL_CLASSES}")
    if len(set(classes)) < len(classes) or not all(classes):
        problems.append(f"class names must differ and not be empty: {', '.join(map(repr, classes))}")
    if output.suffix != ".safetensors":
        problems.append(f"{output}: a model file must end in .safetensors")
    if not output.parent.is_dir():
        problems.append(f"{output.parent}: there is no such folder to write the model to")
    if problems:
        raise ConfigurationError(*problems)


def _read_set(training: Sequence[Pair], validation: Sequence[Pair], classes: Sequence[str]) -> TrainingSet:
    read: dict[str, tuple[LabelledImage, ...]] = {}
    for role, pairs in (("training", training), ("validation", validation)):
        read[role] = tuple(read_pair(pair, classes) for pair in pairs)
    hashes = tuple((file_sha256(p.image), file_sha256(p.mask)) for p in (*training, *validation))
    return TrainingSet(read["training"], read["validation"], hashes)


def _card(
    trainer: Trainer,
    training: Sequence[Pair],
    validation: Sequence[Pair],
    data: TrainingSet,
    weights_sha256: str,
) -> ModelCard:
    stated = [one.micrograph.pixel_nm or trainer.settings.pixel_nm for one in data.training]
    sizes = [size for size in stated if size is not None]
    roles = [*(("training", p) for p in training), *(("validation", p) for p in validation)]
    files = tuple(
        DataFile.model_validate({"name": pair.name, "role": role, "image_sha256": image, "mask_sha256": mask})
        for (role, pair), (image, mask) in zip(roles, data.hashes, strict=True)
    )
    settings = trainer.settings
    return ModelCard(
        classes=trainer.classes,
        architecture=settings.architecture,
        preprocessing=settings.preprocessing,
        pixel_nm=(min(sizes), max(sizes)) if len(sizes) == len(stated) else None,
        training_data=files,
        encoder_weights=trainer.encoder_weights,
        started_from=trainer.started_from,
        held_out=None,
        steps=trainer.best_step,
        hyperparameters=settings,
        software=software_versions(),
        weights_sha256=weights_sha256,
    )


def software_versions(
    packages: Sequence[str] = ("autoscope", "torch", "segmentation-models-pytorch", "timm"),
) -> dict[str, str]:
    """Versions of what decides the result of a training."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
