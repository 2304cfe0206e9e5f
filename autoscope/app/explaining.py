"""What the session's model looked at on the fields that mattered: the bridge from records to perception."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from autoscope.app.build import model_of
from autoscope.app.loading import config_from, read_toml
from autoscope.core import ConfigurationError
from autoscope.records import CONFIG, SessionView
from autoscope.report import ExplainedField
from autoscope.report.evidence import Evidence, Visit, gather

INFLUENTIAL = "influential"
_MOST = 3
"""How many of the most influential fields are explained for a target."""


def explained_fields(view: SessionView, wanted: Sequence[str]) -> tuple[ExplainedField, ...]:
    """Explains the class of every target on some fields of a session.

    Args:
        view: the session.
        wanted: indices of measured fields, or ``"influential"`` for those that moved the answer most.

    Raises:
        ConfigurationError: a field was not measured, the session's model is no network, or the weights file
            is not the one that the session used.
        ModelError: the weights file cannot be used.
        RecordError: the session is damaged.
    """
    from autoscope.perception.explaining import explain_frame
    from autoscope.perception.explanation_files import draw_explanation
    from autoscope.perception.weights import read_network

    evidence = gather(view)
    network, card = read_network(_weights(view, evidence))
    found = []
    with TemporaryDirectory() as folder:
        for visit, class_name in _chosen(evidence, wanted):
            if visit.frame is None:
                continue
            pixels = view.frame(visit.frame).pixels
            explained = explain_frame(network, card, pixels, class_name)
            picture = Path(folder) / "explained.png"
            draw_explanation(pixels, explained, picture)
            said = (
                f"Field {visit.decision.field}: {class_name} on {100 * explained.share:.1f} % of the frame,"
                f" there {explained.probability:.2f} sure."
            )
            found.append(ExplainedField(visit.decision.field, class_name, picture.read_bytes(), said))
    return tuple(found)


def _weights(view: SessionView, evidence: Evidence) -> Path:
    """The weights file of the session, if it is still the same model."""
    used = evidence.started.model
    if used.kind != "segmentation":
        raise ConfigurationError(
            f"{view.folder}: the session's model is of kind {used.kind!r}: only a segmentation network can be"
            " explained"
        )
    model = model_of(config_from(read_toml(view.folder / CONFIG), name=CONFIG), None)
    if model.weights is None or model.sha256 != used.sha256:
        raise ConfigurationError(
            f"{model.weights}: the model is not the one that the session used (its hash begins"
            f" {used.sha256[:12]}): put that file there to explain the session's frames"
        )
    return model.weights


def _chosen(evidence: Evidence, wanted: Sequence[str]) -> Iterator[tuple[Visit, str]]:
    """Fields and classes, each pair once."""
    seen = set()
    for k, target in enumerate(evidence.targets):
        for word in wanted:
            for visit in _visits(evidence, word, k):
                pair = (visit.decision.field, target.class_name)
                if target.class_name and pair not in seen:
                    seen.add(pair)
                    yield visit, target.class_name


def _visits(evidence: Evidence, word: str, target: int) -> tuple[Visit, ...]:
    if word == INFLUENTIAL:
        return evidence.most_influential(target, _MOST)
    for visit in evidence.visits:
        if word == str(visit.decision.field) and visit.frame is not None:
            return (visit,)
    raise ConfigurationError(
        f"--explain {word}: no field of this index was measured (fields.csv lists them); write an index, or"
        f" {INFLUENTIAL!r} for the fields that moved the answer most"
    )
