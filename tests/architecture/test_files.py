"""Sizes, names and places of files."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACES = ("autoscope", "envs", "policies", "simulators", "tests", "benchmarks", "configs", "docs", ".ci")
TEXT = {".py", ".toml", ".md", ".j2", ".css", ".html", ".js", ".json", ".txt", ".yml", ".sh", ""}
FILES = sorted(
    path
    for place in PLACES
    for path in (ROOT / place).rglob("*")
    if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts
) + sorted(path for path in ROOT.glob("*") if path.is_file() and path.suffix in TEXT and path.name != ".git")
MODULES = [path for path in FILES if path.suffix == ".py"]

MAX_LINES = 400
MAX_FUNCTION_LINES = 60
VAGUE = re.compile(r"^(utils?|helpers?|managers?|common|misc|tools)$")
MACHINE_PATH = re.compile(r"(?<![\w./])/(?:" + "|".join(("work", "root", "home", "Users", "mnt")) + r")/\w")


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 40
    assert ROOT / "README.md" in FILES


def test_no_file_is_too_long() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_no_function_is_far_too_long() -> None:
    """About 30 lines is the aim; twice that, signature and docstring included, is the end."""
    found = {}
    for path in MODULES:
        if "tests" in path.relative_to(ROOT).parts[:1]:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node, clean=False) or ""
                length = (node.end_lineno or node.lineno) - node.lineno + 1 - len(docstring.splitlines())
                if length > MAX_FUNCTION_LINES:
                    found[f"{shown(path)}:{node.name}"] = length
    assert found == {}


def test_names_say_what_is_inside() -> None:
    assert [shown(path) for path in MODULES if VAGUE.match(path.stem) or VAGUE.match(path.parent.name)] == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    found = [
        f"{shown(path)}:{number}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


def test_the_pattern_for_machine_paths_works() -> None:
    for place in ("work", "home", "root"):
        assert MACHINE_PATH.search(f'open("/{place}/someone/data.h5")')
    for harmless in ("../shared/data", "https://example.org/home/x", "a/work/b", "/api/sessions"):
        assert not MACHINE_PATH.search(harmless)


def test_every_package_is_typed() -> None:
    for package in (
        "autoscope",
        "envs/autoscope_envs",
        "policies/autoscope_policies",
        "simulators/autoscope_simulators",
    ):
        assert (ROOT / package / "py.typed").is_file(), package


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{shown(path)}: {target}"
        for path in FILES
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []
