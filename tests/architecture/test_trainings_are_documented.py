"""A key of a training that its how-to does not explain fails here."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from autoscope.app.training.config import TrainingConfig

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "train-a-policy.md"


def keys(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from keys(info.annotation)
        else:
            yield name


@pytest.mark.parametrize("key", sorted(keys(TrainingConfig)))
def test_every_key_is_explained(key: str) -> None:
    assert f"| `{key}` |" in HOW_TO.read_text(encoding="utf-8"), f"{key} is not in {HOW_TO.name}"
