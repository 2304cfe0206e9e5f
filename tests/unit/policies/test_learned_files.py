"""Policy files: a network by hand, there and back to the last bit, and every file that must be refused."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file, save_file

from autoscope.core import ConfigurationError, ModelError
from autoscope_policies.learned import (
    Choice,
    ChoiceCard,
    EnvironmentCard,
    Layout,
    Network,
    NetworkCard,
    Normalisation,
    NormalisationCard,
    PolicyCard,
    differences,
    read_policy,
    write_policy,
)
from autoscope_policies.learned.card import CARD_KEY

LAYOUT = Layout(("lag", "share"), (Choice("batch", ("1", "4", "8")), Choice("refocus", ("no", "yes"))))
PLAIN = Normalisation(np.zeros(2), np.ones(2), 1e-8, 10.0)


def by_hand(**changes):
    """Two numbers in, tanh of two, five out: easy to reckon."""
    parts = {
        "weights": (
            np.array([[1, 0], [0, 2]], np.float32),
            np.array([[1, 0], [0, 1], [1, 1], [-1, 0], [0, -1]], np.float32),
        ),
        "biases": (np.array([0, 1], np.float32), np.array([0, 0, -0.5, 0, 0.25], np.float32)),
        "sizes": (3, 2),
        "normalisation": PLAIN,
    }
    return Network(**{**parts, **changes})


def card(network, layout=LAYOUT, **changes):
    parts = {
        "network": NetworkCard(layers=network.layers, activation=network.activation, head=network.head),
        "observations": layout.observations,
        "choices": tuple(ChoiceCard(name=one.name, options=one.options) for one in layout.choices),
        "normalisation": NormalisationCard(
            mean=tuple(network.normalisation.mean), variance=tuple(network.normalisation.variance)
        ),
        "environment": EnvironmentCard(id="tests/Two-v0", options={"side": 4}),
        "algorithm": "maskable_ppo",
        "seed": 3,
        "steps": 100,
        "weights_sha256": "",
    }
    return PolicyCard(**{**parts, **changes})


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "policy.safetensors"
    write_policy(path, by_hand(), card(by_hand()))
    return path


def test_a_network_by_hand():
    first, second = by_hand()(np.array([0.5, -0.25], np.float32))
    a, b = np.tanh(0.5), np.tanh(0.5)
    np.testing.assert_allclose(first, [a, b, a + b - 0.5], rtol=1e-6)
    np.testing.assert_allclose(second, [-a, 0.25 - b], rtol=1e-6)


def test_observations_are_normalised_and_cut():
    scaling = Normalisation(np.array([1.0, 0.0]), np.array([4.0, 1.0]), epsilon=1e-12, clip=3.0)
    np.testing.assert_allclose(scaling(np.array([2.0, -50.0])), [0.5, -3.0], rtol=1e-6)
    whole = by_hand(normalisation=scaling)(np.array([2.0, -50.0]))
    plain = by_hand()(np.array([0.5, -3.0]))
    np.testing.assert_allclose(np.concatenate(whole), np.concatenate(plain), rtol=1e-6)


def test_relu_and_values():
    network = by_hand(activation="relu", head="values")
    first, _ = network(np.array([-0.5, 0.5]))
    np.testing.assert_allclose(first, [0, 2, 1.5], rtol=1e-6)


def test_masks_take_options_away(stored):
    policy = read_policy(stored)
    seen = np.array([2.0, 2.0], np.float32)
    assert policy.choose(seen).tolist() == [2, 1]
    assert policy.choose(seen, np.array([1, 1, 0, 1, 0], bool)).tolist() == [1, 0]
    parts = [np.array([True, False, False]), np.array([True, True])]
    chances = policy.probabilities(seen, parts)
    assert chances[0].tolist() == [1.0, 0.0, 0.0]
    assert chances[1].sum() == pytest.approx(1) and chances[1][1] > chances[1][0]


@given(
    seen=arrays(np.float32, 2, elements=st.floats(-50, 50, width=32)),
    masks=arrays(bool, 5).filter(lambda mask: mask[:3].any() and mask[3:].any()),
)
def test_what_is_chosen_is_allowed_and_the_most_probable(seen, masks):
    network = by_hand()
    chosen = network.choose(seen, masks)
    assert masks[chosen[0]] and masks[3 + chosen[1]]
    for option, outputs in zip(chosen, network(seen, masks), strict=True):
        assert outputs[option] == outputs.max() > -np.inf


@pytest.mark.parametrize(
    ("seen", "masks", "message"),
    [
        ([1.0], None, r"shape \(1,\); the policy was trained on 2"),
        ([1.0, np.nan], None, "observation 1 is nan"),
        ([1.0, 0.0], np.ones(4, bool), r"shape \(4,\); there are 5 options"),
        ([1.0, 0.0], [np.ones(3, bool), np.ones(1, bool)], r"\[3, 1\] entries; the choices have \[3, 2\]"),
        ([1.0, 0.0], np.array([1, 1, 1, 0, 0], bool), "choice 1: the masks leave none of its 2 options"),
    ],
)
def test_what_a_network_refuses(seen, masks, message):
    with pytest.raises(ConfigurationError, match=message):
        by_hand().choose(np.array(seen), masks)


def test_there_and_back(stored, tmp_path):
    written = write_policy(tmp_path / "again.safetensors", by_hand(), card(by_hand()))
    read = read_policy(stored, LAYOUT)
    assert read.sha256 == written.sha256
    assert read.card == written.card and read.card.layout == LAYOUT
    for one, other in zip(read.network.weights, by_hand().weights, strict=True):
        np.testing.assert_array_equal(one, other)
    beside = json.loads(stored.with_suffix(".json").read_text())
    assert beside["environment"] == {"id": "tests/Two-v0", "options": {"side": 4}}
    assert beside["schema"] == "autoscope.policy/1"
    assert "autoscope" not in set(load_file(stored))


def test_a_lone_file_is_enough(stored):
    stored.with_suffix(".json").unlink()
    assert read_policy(stored).card.seed == 3


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        (Layout(("lag",), LAYOUT.choices), ["observations: it has 'share' in addition"]),
        (
            Layout(("lag", "age", "focus"), LAYOUT.choices),
            ["observations: it lacks 'age', 'focus'", "observations: it has 'share' in addition"],
        ),
        (
            Layout(("share", "lag"), LAYOUT.choices),
            ["observations: they are in another order, from number 0: 'lag' instead of 'share'"],
        ),
        (
            Layout(LAYOUT.observations, (Choice("batch", ("1", "4")), Choice("price", ("1",)))),
            [
                "choices: it lacks 'price'",
                "choices: it has 'refocus' in addition",
                "options of 'batch': it has '8' in addition",
            ],
        ),
        (LAYOUT, []),
    ],
)
def test_another_layout_is_refused_with_every_difference(stored, layout, said):
    assert list(differences(LAYOUT, layout)) == said
    if not said:
        assert read_policy(stored, layout).card.layout == layout
        return
    with pytest.raises(ModelError, match="another layout") as refused:
        read_policy(stored, layout)
    for one in said:
        assert one in str(refused.value)


def rewritten(path, tensors=None, **changes):
    """The same file with a changed card or changed tensors."""
    document = json.loads(path.with_suffix(".json").read_text())
    for key, value in changes.items():
        document[key] = value
    save_file(tensors or load_file(path), path, metadata={CARD_KEY: json.dumps(document)})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "autoscope.policy/2"}, "written by another version"),
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"observations": ["lag"]}, r"must begin with 1, the observations"),
        ({"normalisation": {"mean": [0, 0], "variance": [1]}}, "needs 2 means and variances"),
        ({"weights_sha256": "0" * 64}, "not those that the card describes"),
    ],
)
def test_a_card_that_is_not_valid(stored, changes, message):
    with pytest.raises(ModelError, match=message):
        read_policy(rewritten(stored, **changes))


def test_damage_is_named(stored, tmp_path):
    whole = stored.read_bytes()
    for length in (4, 40, len(whole) - 3):
        stored.write_bytes(whole[:length])
        with pytest.raises(ModelError, match="damaged or cut short"):
            read_policy(stored)
    stored.write_bytes(pickle.dumps({"weights": [1.0]}))
    with pytest.raises(ModelError, match="this is a pickle"):
        read_policy(stored)
    with pytest.raises(ModelError, match="there is no such model file"):
        read_policy(tmp_path / "none.safetensors")
    save_file({"a": np.zeros(2, np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="no card of a policy"):
        read_policy(tmp_path / "other.safetensors")


def test_weights_that_are_no_numbers_are_neither_written_nor_read(stored, tmp_path):
    broken = by_hand(biases=(np.array([0, np.nan], np.float32), by_hand().biases[1]))
    with pytest.raises(ModelError, match=r"layers.0.bias holds a weight that is not a finite"):
        write_policy(tmp_path / "broken.safetensors", broken, card(broken))
    assert not (tmp_path / "broken.safetensors").exists()
    from autoscope_policies.learned.files import tensors_sha256

    tensors = load_file(stored)
    tensors["layers.1.weight"][0, 0] = np.inf
    with pytest.raises(ModelError, match=r"layers.1.weight holds a weight that is not a finite"):
        read_policy(rewritten(stored, tensors, weights_sha256=tensors_sha256(tensors)))


def test_weights_that_do_not_fit_the_card(stored):
    from autoscope_policies.learned.files import tensors_sha256

    tensors = load_file(stored)
    del tensors["layers.1.bias"]
    with pytest.raises(ModelError, match=r"do not fit the layers \[2, 2, 5\]"):
        read_policy(rewritten(stored, tensors, weights_sha256=tensors_sha256(tensors)))


@pytest.mark.parametrize(
    ("observations", "choices", "message"),
    [
        (("a", "a"), LAYOUT.choices, "the observation 'a' is there twice"),
        ((), LAYOUT.choices, "needs an observation and a choice"),
        (("a",), (Choice("b", ()),), "the choice 'b' has no options"),
    ],
)
def test_layouts_that_make_no_sense(observations, choices, message):
    with pytest.raises(ConfigurationError, match=message):
        Layout(observations, choices)
