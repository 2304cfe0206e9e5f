"""A key of the configuration that the handbook does not explain fails here."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from autoscope.app.config import Config

HANDBOOK = Path(__file__).parents[2] / "docs" / "configuration.md"


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, info in model.model_fields.items():
        key = info.alias or name
        inner = [a for a in (info.annotation, *get_args(info.annotation)) if _is_model(a)]
        if inner:
            yield from keys(inner[0], f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


@pytest.mark.parametrize("key", sorted(keys(Config)))
def test_every_key_is_in_the_handbook(key: str) -> None:
    name = key.rpartition(".")[2]
    assert f"`{name}`" in HANDBOOK.read_text(encoding="utf-8"), f"{key} is not in {HANDBOOK.name}"


def test_the_quickstart_is_the_packaged_one() -> None:
    root = HANDBOOK.parents[1]
    shipped = (root / "autoscope/app/quickstart.toml").read_text()
    assert (root / "configs/quickstart.toml").read_text() == shipped
