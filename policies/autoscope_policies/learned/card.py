"""The card of a learned policy: what it sees and chooses, how it was trained, how good it was found to be.

The card travels inside the weights file (safetensors metadata), so that a lone file works; the JSON file
beside it is a copy for people. Nothing here imports torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from autoscope.perception.settings import Card, Settings
from autoscope_policies.learned.layout import Choice, Layout

SCHEMA = "autoscope.policy/1"
CARD_KEY = "autoscope.policy-card"
Plain = bool | int | float | str


class NetworkCard(Settings):
    """The network's shape.

    Attributes:
        layers: numbers that enter, those between the layers, and those that leave.
        activation: between the layers.
        head: ``"logits"`` of a distribution over the options, or ``"values"`` of them.
    """

    layers: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2)]
    activation: Literal["tanh", "relu"] = "tanh"
    head: Literal["logits", "values"] = "logits"


class ChoiceCard(Settings):
    """One thing that is chosen.

    Attributes:
        name: of it.
        options: in the order of the network's outputs.
    """

    name: str
    options: Annotated[tuple[str, ...], Field(min_length=1)]


class NormalisationCard(Settings):
    """How observations are scaled before the network sees them.

    Attributes:
        mean: of each observation, over training.
        variance: likewise.
        epsilon: added to the variance.
        clip: largest magnitude after scaling.
    """

    mean: tuple[float, ...]
    variance: tuple[Annotated[float, Field(ge=0.0)], ...]
    epsilon: Annotated[float, Field(gt=0.0)] = 1e-8
    clip: Annotated[float, Field(gt=0.0)] = 10.0


class EnvironmentCard(Settings):
    """Where it was trained.

    Attributes:
        id: of the Gymnasium environment.
        options: that it was made with, beside its defaults.
    """

    id: str
    options: Mapping[str, Any] = Field(default_factory=dict)


class ScoreCard(Settings):
    """How good it was on episodes that it was not trained on.

    Attributes:
        episodes: how many.
        mean_return: mean sum of the rewards of an episode.
        standard_error: of it.
        mean_beam_time_s: where the environment tells.
        rule_return: what the hand-written rule reaches in the same episodes; None without a rule.
        gain: mean of the paired differences to the rule.
        gain_standard_error: of it.
    """

    episodes: int
    mean_return: float
    standard_error: float
    mean_beam_time_s: float | None = None
    rule_return: float | None = None
    gain: float | None = None
    gain_standard_error: float | None = None


class EvidenceCard(Settings):
    """What came of a choice that was left to the network alone, against the rule in the same worlds.

    Attributes:
        gain: mean paired difference of returns, each over the larger of the two.
        standard_error: of it.
        departures: in how many worlds the network departed from the rule.
        p: one-sided, of a paired t test.
    """

    gain: float
    standard_error: float
    departures: int
    p: float


class DeferenceCard(Settings):
    """How far the network yields to the hand-written rule.

    Attributes:
        margin: by how much an output must exceed that of the rule's option.
        trusted: names of the choices in which it may depart from the rule at all.
        worlds: in which that was decided; 0: everything is trusted, nothing was tried.
        evidence: by the name of the choice, where the network departs from the rule.
    """

    margin: Annotated[float, Field(ge=0.0)]
    trusted: tuple[str, ...]
    worlds: Annotated[int, Field(ge=0)] = 0
    evidence: Mapping[str, EvidenceCard] = Field(default_factory=dict)


class PolicyCard(Card):
    """All that is known of a learned policy.

    Attributes:
        schema_: names this form of card.
        network: the shape.
        observations: names of what it sees, in order.
        choices: what it chooses, in order.
        normalisation: of the observations.
        environment: where it was trained.
        algorithm: by which.
        hyperparameters: of the training.
        hashes: SHA-256 of what decided the result: ``"config"``, ``"code"``, and data files by their name.
        trained_on: SHA-256 of the specimen files it has seen; a benchmark on them is refused.
        seed: of the training.
        steps: environment steps behind the stored weights.
        scores: on the validation episodes; None where there were none.
        deference: to the rule; None: the network alone chooses.
        software: versions of what it was trained with.
        weights_sha256: hash of the stored tensors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    schema_: Literal["autoscope.policy/1"] = Field("autoscope.policy/1", alias="schema")
    network: NetworkCard
    observations: tuple[str, ...]
    choices: tuple[ChoiceCard, ...]
    normalisation: NormalisationCard
    environment: EnvironmentCard
    algorithm: str
    hyperparameters: Mapping[str, Any] = Field(default_factory=dict)
    hashes: Mapping[str, str] = Field(default_factory=dict)
    trained_on: tuple[str, ...] = ()
    seed: int
    steps: int
    scores: ScoreCard | None = None
    deference: DeferenceCard | None = None
    software: Mapping[str, str] = Field(default_factory=dict)
    weights_sha256: str

    @property
    def layout(self) -> Layout:
        """What it sees and chooses."""
        return Layout(self.observations, tuple(Choice(one.name, one.options) for one in self.choices))

    @model_validator(mode="before")
    @classmethod
    def _known_schema(cls, data: Any) -> Any:
        found = data.get("schema", SCHEMA) if isinstance(data, dict) else SCHEMA
        if found != SCHEMA:
            raise ValueError(f"schema {found!r} is not {SCHEMA!r}: it was written by another version")
        return data

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        seen, chosen = len(self.observations), sum(len(choice.options) for choice in self.choices)
        if (self.network.layers[0], self.network.layers[-1]) != (seen, chosen):
            raise ValueError(
                f"network.layers = {list(self.network.layers)} must begin with {seen}, the observations,"
                f" and end with {chosen}, the options"
            )
        names = {choice.name for choice in self.choices}
        strange = sorted(set(self.deference.trusted) - names) if self.deference else []
        if strange:
            raise ValueError(f"deference.trusted: {strange[0]!r} is none of its choices")
        numbers = self.normalisation.mean, self.normalisation.variance
        if any(len(values) != seen for values in numbers):
            raise ValueError(f"normalisation needs {seen} means and variances, one for each observation")
        if not all(math.isfinite(value) for values in numbers for value in values):
            raise ValueError("normalisation holds a number that is not finite")
        return self

    def to_json(self, *, indent: int | None = 2) -> str:
        """The card as JSON text, which has no word for a number that is not finite.

        Raises:
            ValueError: there is one.
        """
        values = self.model_dump(mode="json", by_alias=True)
        return json.dumps(values, indent=indent, sort_keys=True, allow_nan=False)
