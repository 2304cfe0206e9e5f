"""What features probably are, learnt from how they look and what their spectra showed."""

from __future__ import annotations

import numpy as np
import pytest

from autoscope.eds import FeatureClasses, ImageClasses, Traits

NAMES = ("alumina", "MnS", "TiN", "unknown")
GROUPS = {"oxide": ("alumina",), "sulphide": ("MnS",), "nitride": ("TiN",)}
GREY = {"alumina": 0.25, "TiN": 0.4, "MnS": 0.6}


def _features(rng: np.random.Generator, count: int, *, greys: bool = True) -> list[tuple[Traits, str]]:
    """The image takes all for nitrides; the grey level tells them, up to some scatter."""
    made = []
    for name in rng.choice(["alumina", "TiN", "MnS"], count):
        grey = GREY[name] + 0.03 * float(rng.standard_normal())
        image = {"oxide": 0.1, "sulphide": 0.1, "nitride": 0.8}
        made.append((Traits(image, 2.0, 1.2, grey if greys else None, grey if greys else None), str(name)))
    return made


def _brier(classes: FeatureClasses, features: list[tuple[Traits, str]]) -> float:
    found = np.array([classes.prior(traits)[0] for traits, _ in features])
    truth = np.array([name == "alumina" for _, name in features])
    return float(((found - truth) ** 2).mean())


def test_before_any_spectrum_the_image_says_it() -> None:
    traits = Traits({"oxide": 0.7, "sulphide": 0.2, "nitride": 0.1}, 3.0, 1.5, 0.3, 0.4)
    np.testing.assert_allclose(
        FeatureClasses(GROUPS, NAMES).prior(traits), ImageClasses(GROUPS, NAMES).prior(traits.image)
    )


def test_spectra_teach_how_classes_look() -> None:
    rng = np.random.default_rng(0)
    classes, unseen = FeatureClasses(GROUPS, NAMES), _features(rng, 300)
    before = _brier(classes, unseen)
    for _ in range(30):
        classes.learn([(traits, name, 0.5) for traits, name in _features(rng, 4)])
    prior = classes.prior(unseen[0][0])
    assert prior.sum() == pytest.approx(1.0) and (prior > 0).all()
    assert _brier(classes, unseen) < 0.3 * before


def test_where_nothing_tells_the_classes_apart_their_shares_are_learnt() -> None:
    rng = np.random.default_rng(1)
    classes = FeatureClasses(GROUPS, NAMES)
    for _ in range(40):
        classes.learn([(traits, name, 1.0) for traits, name in _features(rng, 5, greys=False)])
    prior = classes.prior(_features(rng, 1, greys=False)[0][0])
    np.testing.assert_allclose(prior[:3], 1 / 3, atol=0.1)


def test_the_fit_is_at_the_maximum_of_the_posterior() -> None:
    """The same data again and again without news: coefficients settle where the gradient vanishes."""
    rng = np.random.default_rng(2)
    classes = FeatureClasses(GROUPS, NAMES)
    classes.learn([(traits, name, 1.0) for traits, name in _features(rng, 60)])
    for _ in range(200):
        classes._fit()
    x, truth = np.array(classes._rows), np.eye(len(NAMES))[classes._observed]
    share = np.array(classes._shares) @ classes._image.made_of
    scores = np.log(share / share.sum(axis=1, keepdims=True)) + x @ classes._coefficients.T
    fitted = np.exp(scores - scores.max(axis=1, keepdims=True))
    fitted /= fitted.sum(axis=1, keepdims=True)
    pull = classes._coefficients / 9.0  # normal prior of standard deviation 3
    np.testing.assert_allclose((truth - fitted).T @ x, pull, atol=0.02)


def test_no_spectra_change_nothing() -> None:
    classes, traits = FeatureClasses(GROUPS, NAMES), Traits({"oxide": 0.2, "sulphide": 0.2, "nitride": 0.6})
    before = classes.prior(traits)
    classes.learn([])
    np.testing.assert_array_equal(classes.prior(traits), before)
