"""A setting of a training that its page does not explain fails here."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from autoscope.app.training.config import TrainingConfig
from autoscope.perception import TrainingSettings

DOCS = Path(__file__).parents[2] / "docs"


def keys(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from keys(info.annotation)
        else:
            yield name


@pytest.mark.parametrize("key", sorted(keys(TrainingSettings)))
def test_every_setting_of_a_segmentation_is_in_the_recipes(key: str) -> None:
    words = (DOCS / "training-recipes.md").read_text(encoding="utf-8")
    assert f"`{key}`" in words or f".{key}`" in words


@pytest.mark.parametrize("key", sorted(keys(TrainingConfig)))
def test_every_key_of_a_policy_is_in_its_how_to(key: str) -> None:
    assert f"| `{key}` |" in (DOCS / "how-to" / "train-a-policy.md").read_text(encoding="utf-8")
