import json

import pytest

from autoscope.app.benchmarking.unseen import Card, check_unseen, read_cards, reader_card
from autoscope.core import ConfigurationError, ModelError
from autoscope.perception.overview_card import shipped_reader


def test_a_specimen_of_the_training_is_refused():
    cards = (Card("other.json", frozenset()), Card("overview.json", frozenset({"ab" * 32})))
    with pytest.raises(ConfigurationError, match=r"steel \(sha256 abababababab\.\.\.\).*overview\.json"):
        check_unseen("steel", "ab" * 32, cards)
    check_unseen("steel", "cd" * 32, cards)


def test_the_shipped_reader_refuses_what_it_was_trained_on_under_another_hash():
    card = reader_card(shipped_reader())
    name = min(card.names)
    with pytest.raises(ConfigurationError, match=r"strip .*overview\.safetensors"):
        check_unseen("strip", "00" * 32, (card,), name)
    check_unseen("strip", "00" * 32, (card,), "a specimen of mine")


def test_a_card_is_read_whatever_else_it_says(tmp_path):
    path = tmp_path / "overview.json"
    path.write_text(json.dumps({"kind": "overview", "trained_on": ["AB" * 32]}))
    assert read_cards([path]) == (Card("overview.json", frozenset({"ab" * 32})),)


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"trained_on": "x"}', '{"trained_on": [1]}'])
def test_a_card_without_a_list_is_refused(tmp_path, text):
    path = tmp_path / "card.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=r"card\.json"):
        read_cards([path])


def test_a_missing_card_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere\.json"):
        read_cards([tmp_path / "nowhere.json"])
