"""Learned policies on disk and at work: safetensors and a card, a network in numpy, no torch."""

from autoscope_policies.learned.card import (
    ChoiceCard,
    DeferenceCard,
    EnvironmentCard,
    EvidenceCard,
    NetworkCard,
    NormalisationCard,
    PolicyCard,
    ScoreCard,
)
from autoscope_policies.learned.controlling import Learned, design_layout
from autoscope_policies.learned.deference import Deference
from autoscope_policies.learned.files import LearnedNetwork, read_policy, write_policy
from autoscope_policies.learned.layout import Choice, Layout, differences
from autoscope_policies.learned.network import Network, Normalisation

__all__ = [
    "Choice",
    "ChoiceCard",
    "Deference",
    "DeferenceCard",
    "EnvironmentCard",
    "EvidenceCard",
    "Layout",
    "Learned",
    "LearnedNetwork",
    "Network",
    "NetworkCard",
    "Normalisation",
    "NormalisationCard",
    "PolicyCard",
    "ScoreCard",
    "design_layout",
    "differences",
    "read_policy",
    "write_policy",
]
