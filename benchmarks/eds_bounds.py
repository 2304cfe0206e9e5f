"""By how much a trigger can shorten a census at most: the best of all scales, on tables of a specimen.

    python benchmarks/eds_bounds.py --tables tables.pickle --hfw-um 76.8 --classes oxide [--visit-s 5.1]

Variance times seconds of a visit at the best scale of ``pi = scale sqrt(p (1 - p))`` within [0.05, 1], with
the errors that p really has, against a spectrum of everything; fields are taken as a Poisson process of
features, which nobody predicts. p is learnt on the way, from spectra of two features in five, as the image
classes' shares alone, and with the features' looks; and it is known beforehand.
"""

from __future__ import annotations

import argparse

import numpy as np
from eds_census import Tables, fresh_spectroscopy, kept_tables, parser_of
from numpy.typing import NDArray

from autoscope.app import build
from autoscope.eds import FeatureClasses, ImageClasses

SHARE = 0.4
"""Of the features, that teach."""
ORDERS = 6
"""Random orders of the fields, over which is averaged."""


def learnt(tables: Tables, seed: int, *, looks: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probability of the target's classes before each feature's spectrum, and whether it is of them."""
    rng, eds = np.random.default_rng(seed), fresh_spectroscopy(tables.config, tables)
    classes, image = FeatureClasses(eds.plan.groups, eds.names), ImageClasses(eds.plan.groups, eds.names)
    of = np.array([name in eds.plan.members[0] for name in eds.names])
    said, true = [], []
    for field in rng.permutation(len(tables.fields)).tolist():
        seen = []
        for feature in tables.fields[field]:
            traits, name = feature.candidate.traits, feature.verdict.class_name
            prior = classes.prior(traits) if looks else image.prior(traits.image)
            said.append(float(prior[of].sum()))
            true.append(float(of[eds.names.index(name)]))
            if rng.random() < SHARE:
                seen.append((traits, name, SHARE))
                image.learn(traits.image, name, SHARE)
        classes.learn(seen)
    return np.array(said), np.array(true)


def saved(
    p: NDArray[np.float64], true: NDArray[np.float64], fields: int, visit_s: float, spectrum_s: float
) -> tuple[float, float, float]:
    """By how much less time the best scale takes, that scale, and the share of features with spectra."""
    off, found = (true - p) ** 2, []
    left = true.sum() - off.sum()
    for scale in np.geomspace(0.02, 20, 200).tolist():
        pi = np.clip(scale * np.sqrt(p * (1 - p)), 0.05, 1)
        cost = (left + (off / pi).sum()) * (visit_s * fields + spectrum_s * pi.sum())
        found.append((cost, scale, float(pi.mean())))
    cost, scale, share = min(found)
    return float(true.sum() * (visit_s * fields + spectrum_s * len(p)) / cost), scale, share


def main() -> None:
    parser = parser_of(__doc__ or "")
    parser.add_argument("--visit-s", type=float, default=5.1, help="seconds of a visit, travel included")
    options: argparse.Namespace = parser.parse_args()
    tables = kept_tables(options)
    live = np.mean([feature.live_s for field in tables.fields for feature in field])
    spectrum_s = build.timing_of(tables.config).spectrum_overhead_s + float(live)
    for name, looks in (("shares of the image classes", False), ("looks of the features", True)):
        runs = [learnt(tables, seed, looks=looks) for seed in range(ORDERS)]
        best = [saved(*run, len(tables.fields), options.visit_s, spectrum_s) for run in runs]
        ratio, scale, share = np.mean(best, axis=0)
        error = np.std(best, axis=0, ddof=1)[0] / np.sqrt(ORDERS)
        found = f"{ratio:.2f} ± {error:.2f} times less, scale {scale:.2f}, spectra of {100 * share:.0f} %"
        print(f"{name:30} {found}")
    _, true = runs[0]
    sure = saved(np.where(true > 0, 1 - 1e-9, 1e-9), true, len(tables.fields), options.visit_s, spectrum_s)
    print(f"{'an image that is always right':30} {sure[0]:.2f} times less, spectra of {100 * sure[2]:.0f} %")


if __name__ == "__main__":
    main()
