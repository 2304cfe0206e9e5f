"""Settings of a training from a recipe file, options and ``--set``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from autoscope.app.loading import override, read_toml, validated

Model = TypeVar("Model", bound=BaseModel)


def read_settings(
    model: type[Model], options: argparse.Namespace, base: Mapping[str, Any], given: Mapping[str, Any]
) -> Model:
    """The settings that a command line asks for.

    Args:
        model: which settings.
        options: with ``recipe`` and ``set``.
        base: what holds where the recipe says nothing.
        given: values of other options by ``key.path``; None where an option was not given.

    Raises:
        ConfigurationError: with every problem; an unknown key names the nearest known one.
    """
    document: dict[str, Any] = dict(base)
    name = "settings"
    if options.recipe is not None:
        document |= read_toml(options.recipe)
        name = str(options.recipe)
    for path, value in given.items():
        if value is not None:
            *tables, key = path.split(".")
            here = document
            for table in tables:
                here = here.setdefault(table, {})
            here[key] = value
    for item in options.set:
        override(document, item)
    return validated(model, document, name=name)
