"""Entropies of distributions over classes, nats; classes are the first axis."""

from __future__ import annotations

import torch
from torch import Tensor


def entropy_nats(probability: Tensor) -> Tensor:
    """Entropy over the first axis."""
    entropy: Tensor = torch.special.entr(probability).sum(dim=0)
    return entropy


def softmax_and_entropy(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Both over the first axis; ``H = logsumexp - sum p z``."""
    highest = scores.amax(dim=0)
    shifted = scores - highest
    powers = shifted.exp()
    total = powers.sum(dim=0)
    probability = powers / total
    return probability, total.log() - (probability * shifted).sum(dim=0)
