"""The card of a policy that was just trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from autoscope.perception.training import software_versions
from autoscope_policies.learned.card import (
    ChoiceCard,
    DeferenceCard,
    EvidenceCard,
    NetworkCard,
    NormalisationCard,
    PolicyCard,
    ScoreCard,
)
from autoscope_policies.learned.network import Network
from autoscope_policies.training.problem import Problem
from autoscope_policies.training.settings import LearningSettings
from autoscope_policies.training.trusting import Trust

_DECISIVE = ("autoscope", "gymnasium", "sb3-contrib", "stable-baselines3", "torch")
"""Packages whose versions decide the result of a training."""


def card_of(
    problem: Problem,
    settings: LearningSettings,
    network: Network,
    *,
    seed: int,
    steps: int,
    scores: ScoreCard,
    trust: Trust | None,
) -> PolicyCard:
    """All that is to be known of a policy; the hash of its weights is filled in where it is written.

    Args:
        problem: what it was trained on.
        settings: how.
        network: that chooses.
        seed: of the training.
        steps: environment steps behind the network.
        scores: on episodes that did not choose it.
        trust: how far it yields to the rule; None: not at all.
    """
    scaling, layout = network.normalisation, problem.layout
    return PolicyCard(
        network=NetworkCard(layers=network.layers, activation=network.activation, head=network.head),
        observations=layout.observations,
        choices=tuple(ChoiceCard(name=one.name, options=one.options) for one in layout.choices),
        normalisation=NormalisationCard(
            mean=tuple(scaling.mean.tolist()),
            variance=tuple(scaling.variance.tolist()),
            epsilon=scaling.epsilon,
            clip=scaling.clip,
        ),
        environment=problem.environment,
        algorithm=settings.algorithm,
        hyperparameters=settings.model_dump(mode="json"),
        hashes=problem.hashes,
        trained_on=problem.trained_on,
        seed=seed,
        steps=steps,
        scores=scores,
        deference=None if trust is None else _deference(trust, [choice.name for choice in layout.choices]),
        software=software_versions(_DECISIVE),
        weights_sha256="",
    )


def _deference(trust: Trust, names: Sequence[str]) -> DeferenceCard:
    given = trust.deference
    return DeferenceCard(
        margin=given.margin,
        trusted=tuple(name for name, trusted in zip(names, given.trusted, strict=True) if trusted),
        worlds=trust.worlds,
        evidence={names[k]: EvidenceCard(**asdict(one)) for k, one in trust.evidence.items()},
    )
