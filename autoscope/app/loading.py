"""Reading a configuration: from TOML, with overrides, with every problem in one message."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import tomli_w
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from autoscope.app.config import SYNTHETIC, Config
from autoscope.core import ConfigurationError, nearest

Model = TypeVar("Model", bound=BaseModel)
SQLITE = "sqlite:///"
"""How the URL of a label queue in a file begins."""


def load_config(path: Path | str, overrides: Iterable[str] = (), seed: int | None = None) -> Config:
    """Reads a configuration file.

    Args:
        path: the TOML file; relative paths in it are relative to its folder and become absolute.
        overrides: ``"key.path=value"`` items that replace values; values are TOML, and a bare word that
            is not TOML is a string. Relative paths in them are relative to the working directory.
        seed: replaces the file's seed.

    Raises:
        ConfigurationError: with every problem that was found.
    """
    path = Path(path)
    document = read_toml(path)
    _absolute_paths(document, path.resolve().parent)
    return config_from(document, overrides, seed, name=str(path))


def config_from(
    document: dict[str, Any], overrides: Iterable[str] = (), seed: int | None = None, *, name: str = "config"
) -> Config:
    """Checks a configuration that was read already; see :func:`load_config`."""
    for item in overrides:
        override(document, item)
    _absolute_paths(document, Path.cwd())
    if seed is not None:
        document["seed"] = seed
    return validated(Config, document, name=name)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ConfigurationError: it cannot be read or is not TOML.
    """
    try:
        return _tables(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from error


def recorded_config(folder: Path, text: str) -> Config:
    """The configuration that a session folder holds.

    Args:
        folder: the session's, for the messages.
        text: its ``config.toml``.

    Raises:
        ConfigurationError: it was damaged or changed.
    """
    name = str(folder / "config.toml")
    return config_from(_tables(text, name), name=name)


def _tables(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name}: not valid TOML: {error}") from error


def validated(model: type[Model], document: Mapping[str, Any], *, name: str) -> Model:
    """A document as a model.

    Args:
        model: what it must be.
        document: what was read.
        name: of the file, for the messages.

    Raises:
        ConfigurationError: with every problem; an unknown key names the nearest known one.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        said = (f"{name}: {_explain(problem, model)}" for problem in error.errors())
        raise ConfigurationError(*said) from None


def dump_config(config: Config) -> str:
    """The configuration as TOML, complete, such that :func:`load_config` reads the same again."""
    document = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    return tomli_w.dumps(document)


def override(document: dict[str, Any], item: str) -> None:
    """Replaces a value of a document, in place, by what ``"key.path=value"`` says; see :func:`load_config`.

    Raises:
        ConfigurationError: it does not read like that, or the path leads nowhere.
    """
    key, equals, text = item.partition("=")
    if not equals or not key.strip():
        raise ConfigurationError(f"--set {item!r}: write key.path=value, such as targets.0.half_width=0.02")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *parents, last = key.strip().split(".")
    here: Any = document
    for part in parents:
        here = _descend(here, part, item)
    if isinstance(here, list):
        here[_index(here, last, item)] = value
    else:
        here[last] = value


def _descend(here: Any, part: str, item: str) -> Any:
    if isinstance(here, list):
        return here[_index(here, part, item)]
    child = here.setdefault(part, {})
    if not isinstance(child, (dict, list)):
        raise ConfigurationError(f"--set {item!r}: {part} is a value, not a table")
    return child


def _index(values: list[Any], part: str, item: str) -> int:
    if not part.isdigit() or int(part) >= len(values):
        raise ConfigurationError(f"--set {item!r}: {part!r} is not one of 0 to {len(values) - 1}")
    return int(part)


def _absolute_paths(document: dict[str, Any], folder: Path) -> None:
    """Makes the configuration's paths absolute, those that are so already stay."""
    microscope = document.get("microscope")
    if isinstance(microscope, dict):
        specimen = microscope.get("specimen")
        if isinstance(specimen, str) and specimen and not specimen.startswith(SYNTHETIC):
            microscope["specimen"] = str(folder / Path(specimen).expanduser())
        _absolute(microscope, "pv_map", folder)
    labels = document.get("labels")
    if isinstance(labels, dict) and isinstance(labels.get("queue"), str):
        labels["queue"] = _absolute_url(labels["queue"], folder)
    for section, key in (("model", "weights"), ("policy", "weights"), ("eds", "classes")):
        table = document.get(section)
        if isinstance(table, dict):
            _absolute(table, key, folder)


def _absolute(table: dict[str, Any], key: str, folder: Path) -> None:
    value = table.get(key)
    if isinstance(value, str) and value:
        table[key] = str(folder / Path(value).expanduser())


def _absolute_url(url: str, folder: Path) -> str:
    """``sqlite:///labels.db`` with the file's whole path; any other URL as it is."""
    file = url.removeprefix(SQLITE)
    return url if file in (url, "") else SQLITE + str(folder / Path(file).expanduser())


def _explain(problem: ErrorDetails, whole: type[BaseModel]) -> str:
    location = [part for part in problem["loc"] if not str(part).startswith("function-")]
    key = ".".join(str(part) for part in location)
    kind, message = problem["type"], problem["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return f"unknown key {key}{nearest(str(location[-1]), _known_keys(whole, location[:-1]))}"
    if kind == "missing":
        return f"{key} is missing"
    if kind == "value_error" and isinstance(problem.get("input"), (dict, Mapping)):
        return f"{key}: {message}" if key else message
    return f"{key} = {problem.get('input')!r}: {message[0].lower()}{message[1:]}" if key else message


def _known_keys(whole: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys that the table at a location takes."""
    model: type[BaseModel] | None = whole
    for part in location:
        if isinstance(part, int) or model is None:
            continue
        fields = {info.alias or name: info for name, info in model.model_fields.items()}
        model = _model_in(fields[part].annotation) if part in fields else None
    return [] if model is None else [info.alias or name for name, info in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {tuple, list, Union, UnionType} or get_args(annotation):
        return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
    return None
