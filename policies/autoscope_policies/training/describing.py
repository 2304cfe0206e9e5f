"""The card of a policy that was just trained."""

from __future__ import annotations

from autoscope.perception.training import software_versions
from autoscope_policies.learned.card import (
    ChoiceCard,
    NetworkCard,
    NormalisationCard,
    PolicyCard,
    ScoreCard,
)
from autoscope_policies.learned.network import Network
from autoscope_policies.training.problem import Problem
from autoscope_policies.training.settings import LearningSettings

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
) -> PolicyCard:
    """All that is to be known of a policy; the hash of its weights is filled in where it is written.

    Args:
        problem: what it was trained on.
        settings: how.
        network: that chooses.
        seed: of the training.
        steps: environment steps behind the network.
        scores: on episodes that did not choose it.
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
        software=software_versions(_DECISIVE),
        weights_sha256="",
    )
