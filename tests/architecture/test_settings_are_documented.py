"""A setting of a training that the recipes do not explain fails here."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from autoscope.perception import TrainingSettings

RECIPES = Path(__file__).parents[2] / "docs" / "training-recipes.md"


def keys(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from keys(info.annotation)
        else:
            yield name


@pytest.mark.parametrize("key", sorted(keys(TrainingSettings)))
def test_every_setting_is_in_the_recipes(key: str) -> None:
    words = RECIPES.read_text(encoding="utf-8")
    assert f"`{key}`" in words or f".{key}`" in words, f"{key} is not in {RECIPES.name}"
