"""Synthetic specimens with exact truth: noise-free objects for the simulated microscope to image.

Seeds below `FIRST_TRAINING_SEED` are for sessions, examples and benchmarks; models and policies are trained
on seeds from `FIRST_TRAINING_SEED` on, so that no result is ever shown on a specimen that was trained on.
Different seeds are different specimens in the full sense: fractions, grain sizes, banding, shapes and
contrast are drawn anew from realistic ranges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from autoscope.core import ConfigurationError, nearest
from autoscope_simulators.specimen_data import SpecimenData
from autoscope_simulators.synthetic.canvas import Progress

__all__ = ["FIRST_TRAINING_SEED", "KINDS", "generate"]

FIRST_TRAINING_SEED = 1000
"""Models are trained on this seed and above; everything that is reported uses seeds below."""

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "inclusions": "steel with clustered oxides, sulphides and nitrides (1536 x 1536 um at 300 nm)",
        "pearlite": "banded ferrite-pearlite steel with lamellar colonies (1024 x 1024 um at 250 nm)",
        "superalloy": "nickel superalloy with secondary and tertiary gamma-prime (60 x 60 um at 15 nm)",
    }
)
"""Kinds of synthetic specimen: name to a one-line description with the default size and pixel."""


def generate(
    kind: str,
    *,
    seed: int = 0,
    size_um: tuple[float, float] | None = None,
    progress: Callable[[float], None] | None = None,
) -> SpecimenData:
    """Draws a synthetic specimen. The same arguments give the same arrays on every run.

    Args:
        kind: one of `KINDS`.
        seed: which specimen of that kind, not negative; see the module on which seeds to train on.
        size_um: ``(width, height)``, um; the kind's own when None. Time and memory grow with the area.
        progress: hears the share that is done, 0 to 1.

    Raises:
        ConfigurationError: for an unknown kind, a negative seed, or a size that cannot be drawn.
    """
    if kind not in KINDS:
        raise ConfigurationError(
            f"synthetic specimen kind {kind!r} is unknown{nearest(kind, tuple(KINDS))}; choose one of"
            f" {', '.join(sorted(KINDS))}"
        )
    if seed < 0:
        raise ConfigurationError(
            f"seed = {seed} of the synthetic specimen must not be negative; choose 0 or more"
        )
    return _generator(kind)(seed, size_um, progress or _unheard)


def _generator(kind: str) -> Callable[[int, tuple[float, float] | None, Progress], SpecimenData]:
    """The generator of a kind; its module (and scipy) is imported only now."""
    module = import_module(f"{__name__}.{kind}")
    generator: Callable[[int, tuple[float, float] | None, Progress], SpecimenData] = module.generate
    return generator


def _unheard(share: float) -> None:
    """Nobody listens to the progress."""
