"""Posterior of the weights of a network's last layer: Laplace's approximation with pyro.

The last layer is linear in the decoder's features, so that class probabilities are a softmax regression on
them and the posterior around the trained weights is Gaussian to a good approximation (Kristiadi, Hein &
Hennig 2020, "Being Bayesian, even just a bit"; Daxberger et al. 2021, "Laplace redux"). Its mean stays at
the trained weights.
"""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.infer.autoguide import AutoLaplaceApproximation
from pyro.infer.autoguide.initialization import init_to_value
from torch import Tensor

from autoscope.perception.randomness import seeded

PRIOR_SCALE = 1.0
"""How far weights may lie from the trained ones before data, standard deviation."""
INDEPENDENT_PX = 256.0
"""Pixels that count as one observation: neighbours are wrong together."""
MOST_WEIGHTS = 3000
"""Larger heads get no posterior: its covariance would not fit into memory."""
PAIRS = 4
"""Draws that are kept; each is used with both signs."""


def laplace_covariance(inputs: Tensor, labels: Tensor, trained: Tensor, *, power: float) -> Tensor:
    """Covariance of the flattened weights, from the curvature of the posterior at the trained ones.

    Args:
        inputs: ``n x features``.
        labels: ``n``.
        trained: ``classes x features``.
        power: of the likelihood, the share of the observations that count as independent.

    Returns:
        ``(classes * features)`` square: the inverse of ``I / s^2 + power * sum (diag p - p p^T) (x) x x^T``.
    """

    def model(inputs: Tensor, labels: Tensor) -> None:
        weights = pyro.sample("weights", dist.Normal(centre, PRIOR_SCALE).to_event(2))  # type: ignore[no-untyped-call]
        with poutine.scale(scale=power), pyro.plate("pixels", len(inputs)):
            pyro.sample("class", dist.Categorical(logits=inputs @ weights.T), obs=labels)

    inputs, centre = inputs.double(), trained.double()
    with pyro.get_param_store().scope(), seeded(0):
        start = init_to_value(values={"weights": centre})
        guide = AutoLaplaceApproximation(model, init_loc_fn=start)  # type: ignore[no-untyped-call]
        guide(inputs, labels)
        fitted = guide.laplace_approximation(inputs, labels)  # type: ignore[no-untyped-call]
    root = fitted.scale[:, None] * fitted.scale_tril
    covariance: Tensor = (root @ root.T).detach()
    return covariance


def draw_deviations(covariance: Tensor, classes: int, *, seed: int = 0) -> Tensor:
    """``pairs x classes x features`` draws of the weights' deviation from the trained ones."""
    root = torch.linalg.cholesky(covariance)
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(len(covariance), PAIRS, generator=generator, dtype=covariance.dtype)
    # draws with both signs and unit mean square keep the spread of the whole in few draws
    normal = normal / normal.square().mean(dim=1, keepdim=True).sqrt()
    drawn: Tensor = (root @ normal).T.reshape(PAIRS, classes, -1).float()
    return drawn
