"""What the result says of models that were fine-tuned on a session's answers."""

from __future__ import annotations

from collections.abc import Sequence

from autoscope.records.documents import Document, ModelAdoptedDocument, ModelJudgement

MODELS = "models"
"""Folder of the adopted models in a session's folder."""


def adopted_model(documents: Sequence[Document]) -> ModelAdoptedDocument | None:
    """The model that was adopted last; None while the first one measures."""
    return next((d for d in reversed(documents) if isinstance(d, ModelAdoptedDocument)), None)


def adoption_warnings(documents: Sequence[Document]) -> tuple[str, ...]:
    """One warning for each model that was adopted."""
    return tuple(adoption_warning(d) for d in documents if isinstance(d, ModelAdoptedDocument))


def adoption_warning(document: ModelAdoptedDocument) -> str:
    """What a reader of the result must know of an adoption."""
    return (
        f"after {document.fields} fields another model took over: {document.new_sha256[:12]}, fine-tuned on"
        f" {len(document.learnt)} answers, in place of {document.old_sha256[:12]} ({scores(document)}); all"
        f" {document.fields} fields were measured again from their stored frames, and the result is what the"
        " new model measures; the answers that it learnt from count for their own frames alone"
    )


def scores(judgement: ModelJudgement) -> str:
    """How both models did on the answers that were held out."""
    if judgement.mean_iou is None or judgement.mean_iou_before is None:
        return "not judged"
    return (
        f"mean IoU on {judgement.held_out} held-out answers {judgement.mean_iou:.4f},"
        f" before {judgement.mean_iou_before:.4f}"
    )
