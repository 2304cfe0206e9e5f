"""What may be imported where, beyond the layers that import-linter keeps."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    "autoscope": ROOT / "autoscope",
    "autoscope_envs": ROOT / "envs" / "autoscope_envs",
    "autoscope_policies": ROOT / "policies" / "autoscope_policies",
    "autoscope_simulators": ROOT / "simulators" / "autoscope_simulators",
}
MODULES = sorted(path for source in SOURCES.values() for path in source.rglob("*.py"))
HEAVY = (
    "torch", "torchvision", "segmentation_models_pytorch", "timm", "matplotlib", "skimage", "scipy",
    "h5py", "tifffile", "PIL", "pydantic", "rich", "jinja2", "numpy",
)  # fmt: skip
DISTRIBUTION = {
    "PIL": "pillow",
    "skimage": "scikit-image",
    "epics": "pyepics",
    "rsciio": "rosettasciio",
    "pydantic_core": "pydantic",  # comes with it
    "markupsafe": "jinja2",  # comes with it
    "sklearn": "scikit-learn",
    "pyro": "pyro-ppl",
    "modAL": "modal-python",
}


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from autoscope.app.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('loaded:', *sorted(set(sys.modules)))"
    )
    *shown, loaded = run(code).splitlines()
    assert any("usage: autoscope" in line for line in shown)
    assert set(loaded.split()) & set(HEAVY) == set()


@pytest.mark.parametrize(
    ("package", "heavy"),
    [
        ("autoscope.core", set(HEAVY) - {"numpy"}),
        ("autoscope.microscope", set(HEAVY) - {"numpy"}),
        ("autoscope.survey", set(HEAVY) - {"numpy", "scipy"}),
        ("autoscope.testing", set(HEAVY) - {"numpy"}),
        ("autoscope.perception", {"torch", "segmentation_models_pytorch", "timm", "matplotlib", "skimage"}),
        ("autoscope.report", {"torch", "skimage"}),
        ("autoscope.eds", set(HEAVY) - {"numpy"} | {"xraylib"}),
        ("autoscope.xray", set(HEAVY) - {"numpy"} | {"xraylib"}),
        ("autoscope.images", {"rsciio", "torch"}),
        ("autoscope_simulators", {"torch", "matplotlib", "skimage"}),
        ("autoscope_policies", {"torch", "matplotlib"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_room_imports_what_is_heavy_only_when_it_needs_it(package: str, heavy: set[str]) -> None:
    loaded = set(run(f"import sys, {package}\nprint(*sys.modules)").split())
    assert package in loaded
    assert loaded & heavy == set()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything that a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)


def room(dotted: str) -> str:
    """``autoscope.images`` of ``autoscope.images.tiff``; the package itself elsewhere."""
    parts = dotted.split(".")
    return ".".join(parts[:2]) if parts[0] == "autoscope" else parts[0]


def own_room(path: Path) -> str:
    name, source = next((name, source) for name, source in SOURCES.items() if path.is_relative_to(source))
    return room(".".join((name, *path.relative_to(source).with_suffix("").parts)))


def test_nobody_imports_what_is_private_elsewhere() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in MODULES
        for line, name in imports(path)
        if name.split(".")[0] in SOURCES and room(name) != own_room(path)
        if any(part.startswith("_") and not part.startswith("__") for part in name.split("."))
    ]
    assert found == []


def test_every_third_party_import_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [entry for group in project["optional-dependencies"].values() for entry in group]
    declared = {_name(entry) for entry in (*project["dependencies"], *extras)}
    known = set(SOURCES) | set(sys.stdlib_module_names)
    missing = {
        f"{path.relative_to(ROOT)}:{line} imports {name.split('.')[0]}"
        for path in MODULES
        for line, name in imports(path)
        if (top := name.split(".")[0]) not in known
        and DISTRIBUTION.get(top, top.replace("_", "-").lower()) not in declared
    }
    assert missing == set()


def _name(requirement: str) -> str:
    stop = next((i for i, letter in enumerate(requirement) if letter in "<>=!~[; "), len(requirement))
    return requirement[:stop].lower().replace("_", "-")


def calls(path: Path) -> Iterator[tuple[int, str, set[str]]]:
    """Line, function and keyword arguments of every call in a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            keywords = {f"{word.arg}={ast.unparse(word.value)}" for word in node.keywords}
            yield node.lineno, ast.unparse(node.func), keywords


def test_no_pickle_is_ever_read() -> None:
    imported = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in MODULES
        for line, name in imports(path)
        if name.split(".")[0] in {"pickle", "joblib", "dill", "cloudpickle"}
        and name != "pickle.UnpicklingError"  # what torch.load raises where it refuses
    ]
    called = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in MODULES
        for line, function, keywords in calls(path)
        if (function == "torch.load" and "weights_only=True" not in keywords)
        or "allow_pickle=True" in keywords
    ]
    assert imported + called == []


def test_nothing_shipped_asserts() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
    assert found == []
