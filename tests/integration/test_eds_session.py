"""Whole sessions with spectra on a small synthetic steel."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import tomli_w

from autoscope.app.build import imaging
from autoscope.app.cli import main
from autoscope.app.loading import load_config
from autoscope.app.planning import plan_session
from autoscope.app.running import check, resume_session, run_session
from autoscope.app.truth import TruthMeasurer
from autoscope.core import Frame
from autoscope.epics import default_pvs
from autoscope.microscope import Microscope
from autoscope.perception.look import Look
from autoscope.records import (
    CandidatesDocument,
    Census,
    DecisionDocument,
    FrameDocument,
    LookDocument,
    ObservationDocument,
    SessionResult,
    SpectrumDocument,
    open_session,
)
from autoscope.session import Measurement
from autoscope_simulators import write_specimen
from autoscope_simulators.synthetic import generate

pytest.importorskip("xraylib")

SESSION = """
seed = 3
[microscope]
kind = "simulated"
specimen = "{specimen}"
[imaging.overview]
hfw_um = 128.0
width_px = 128
height_px = 128
[imaging.reference]
hfw_um = 25.6
width_px = 64
height_px = 64
dwell_us = 3.0
[[targets]]
quantity = "inclusions_per_mm2"
class = "sulphide"
min_feature_um = 1.5
relative = 0.4
[[targets]]
quantity = "area_fraction"
class = "oxide"
relative = 1.5
[model]
kind = "truth"
[policy]
kind = "uniform"
[eds]
enabled = true
max_live_s = 1.0
"""


@pytest.fixture(scope="session")
def steel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """384 x 384 um: 15 x 15 fields of 25.6 um."""
    path = tmp_path_factory.mktemp("specimen") / "steel.h5"
    write_specimen(generate("inclusions", seed=2, size_um=(384.0, 384.0)), path)
    return path


@pytest.fixture
def config(steel: Path, tmp_path: Path) -> Path:
    path = tmp_path / "session.toml"
    path.write_text(SESSION.format(specimen=steel))
    return path


def test_a_session_with_spectra_leaves_a_census(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "session"
    assert main(["run", str(config), "--out", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    spectra = [d for d in open_session(out).documents() if isinstance(d, SpectrumDocument)]
    assert result["spent"]["spectra"] == len(spectra) > 0
    assert result["spent"]["eds_live_s"] == pytest.approx(sum(d.live_s for d in spectra))
    assert all(0.05 <= d.propensity <= 1 and d.live_s <= 1.0 + 1e-9 for d in spectra)
    assert all(open_session(out).spectrum(d.spectrum).sum() == d.counts for d in spectra)
    listed = result["inclusions"]
    assert {"class", "class_probability", "eds_live_s"} <= set(listed[0])
    assert sum(i["eds_live_s"] > 0 for i in listed) <= len(spectra)
    census = Census.model_validate_json((out / "census.json").read_bytes())
    total = next(r for r in census.rows if r.class_name == "all" and r.to_um is None)
    assert total.features == len([p for p in census.points if p.class_name != "matrix"])
    rows = list(csv.DictReader((out / "inclusions.csv").read_text().splitlines()))
    assert len(rows) == len(census.points)
    page = (out / "report.html").read_text()
    assert "Spectra to look at" in page
    assert "Inclusions by class" in page


def test_the_truth_knows_the_spectral_class_too(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = config.read_text()
    truths = {}
    for name in ("sulphide", "MnS", "(Ca,Mn)S", "CaS"):
        config.write_text(document.replace('class = "sulphide"', f'class = "{name}"'))
        if main(["specimen", "truth", "--config", str(config), "--json"]) == 0:
            truths[name] = json.loads(capsys.readouterr().out)["quantities"][0]["truth"]
    assert len(truths) == 2  # the group, and the one sulphide that this heat has
    assert len(set(truths.values())) == 1


def kill_in_the(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a session die in its n-th spectrum, before anything of it is on disk."""
    watch: Callable[..., object] = Microscope.watch_spectrum
    count = 0

    def dying(self: Microscope, *given: object) -> object:
        nonlocal count
        count += 1
        if count == number:
            raise KeyboardInterrupt
        return watch(self, *given)

    monkeypatch.setattr(Microscope, "watch_spectrum", dying)


def dies_and_goes_on(
    number: int, config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, overrides: Sequence[str] = ()
) -> tuple[SessionResult, SessionResult]:
    """Results of a session, and of the same one that died in its spectrum ``number`` and was resumed.

    They lie in ``whole`` and ``cut``.
    """
    loaded = load_config(config, overrides)
    whole = run_session(loaded, folder / "whole")
    kill_in_the(number, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run_session(loaded, folder / "cut")
    monkeypatch.undo()
    return whole, resume_session(folder / "cut")


def assert_ended_alike(whole: SessionResult, resumed: SessionResult, folder: Path) -> None:
    assert resumed.quantities == whole.quantities
    assert resumed.inclusions == whole.inclusions
    assert resumed.spent.spectra == whole.spent.spectra
    found = [
        [d.candidates for d in open_session(folder / name).documents() if isinstance(d, CandidatesDocument)]
        for name in ("whole", "cut")
    ]
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 9])
def test_a_session_that_died_among_its_spectra_ends_as_if_it_had_not(
    number: int, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, resumed = dies_and_goes_on(number, config, tmp_path, monkeypatch)
    assert_ended_alike(whole, resumed, tmp_path)


def test_a_session_that_draws_fields_at_once_and_died_among_its_spectra_ends_as_if_it_had_not(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = ['policy.kind="active"', "policy.options={batch=4}"]
    whole, resumed = dies_and_goes_on(9, config, tmp_path, monkeypatch, several)
    assert_ended_alike(whole, resumed, tmp_path)
    decisions = [d for d in open_session(tmp_path / "cut").documents() if isinstance(d, DecisionDocument)]
    drawn = [d.draw for d in decisions]
    assert 3 <= max(map(drawn.count, drawn)) <= 5  # systematic: to within one of four


@pytest.fixture
def unfamiliar() -> Iterator[None]:
    """Every seventh field is foreign at both looks; two after each only at the first."""
    measure: Callable[..., Measurement] = TruthMeasurer.measure
    first_s: dict[int, float] = {}

    def looked(self: TruthMeasurer, frame: Frame, field: int) -> Measurement:
        again = frame.time_s != first_s.setdefault(field, frame.time_s)
        look = Look("familiar", 0.5)
        if field % 7 == 0:
            look = Look("foreign", 3.0, "empty")
        elif field % 7 == 2 and not again:
            look = Look("suspicious", 1.2, "defocus")
        return replace(measure(self, frame, field), look=look)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TruthMeasurer, "measure", looked)
        yield


def test_unfamiliar_fields_are_taken_again_before_their_spectra_and_foreign_ones_are_lost(
    unfamiliar: None, config: Path, tmp_path: Path
) -> None:
    result = run_session(load_config(config, ["budget.frames=69"]), tmp_path / "session")
    documents = open_session(tmp_path / "session").documents()
    values = {d.field: d.value for d in documents if isinstance(d, ObservationDocument)}
    looks = [(d.field, d.action) for d in documents if isinstance(d, LookDocument)]
    frames = [d.field for d in documents if isinstance(d, FrameDocument) and d.purpose == "field"]
    with_candidates = {d.field for d in documents if isinstance(d, CandidatesDocument)}
    foreign, again = ({field for field in values if field % 7 == k} for k in (0, 2))
    assert len(foreign) >= 3 and len(again) >= 3
    assert {field for field, value in values.items() if value is None} == foreign
    assert with_candidates == values.keys() - foreign
    twice = {field for field in frames if frames.count(field) == 2}
    assert (foreign | again) - twice <= {frames[-1]}  # no frame was left of the budget for that one
    assert twice <= foreign | again
    assert {field for field, action in looks if action == "worst case"} == foreign
    assert {field for field, action in looks if action == "taken again"} == again & twice
    assert {q.fields_lost for q in result.quantities} == {len(foreign)}
    spectra = {d.field: d.seq for d in documents if isinstance(d, SpectrumDocument)}
    last_frame = {d.field: d.seq for d in documents if isinstance(d, FrameDocument)}
    assert all(seq > last_frame[field] for field, seq in spectra.items())


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 5])
def test_a_session_with_second_looks_that_died_among_its_spectra_ends_as_if_it_had_not(
    number: int, unfamiliar: None, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, resumed = dies_and_goes_on(number, config, tmp_path, monkeypatch)
    assert_ended_alike(whole, resumed, tmp_path)
    assert any(isinstance(d, LookDocument) for d in open_session(tmp_path / "cut").documents())


def test_the_live_budget_holds(config: Path, tmp_path: Path) -> None:
    result = run_session(load_config(config, ["budget.eds_live_s=1.0"]), tmp_path / "session")
    assert result.finish_reason == "budget_spent"
    assert result.spent.eds_live_s <= 1.0
    assert any("budget eds_live_s" in w and "the limit is 1 s" in w for w in result.warnings)


@pytest.mark.slow
def test_scarce_live_time_makes_spectra_rarer_and_suffices(config: Path, tmp_path: Path) -> None:
    """Unlimited, the same session spends 1.8 s; with 1.2 s of which any spectrum may take 1 it ends well."""
    chances = []
    for name, overrides in (("free", []), ("scarce", ["budget.eds_live_s=1.2"])):
        result = run_session(load_config(config, overrides), tmp_path / name)
        assert result.finish_reason == "targets_reached"
        documents = open_session(tmp_path / name).documents()
        fields = [d.candidates for d in documents if isinstance(d, CandidatesDocument)]
        chances.append([c.propensity for candidates in fields for c in candidates])
    assert result.spent.eds_live_s <= 1.2
    assert sum(chances[1]) / len(chances[1]) < 0.7 * sum(chances[0]) / len(chances[0])
    assert min(chances[1]) == 0.05


def test_the_plan_foretells_spectra(config: Path) -> None:
    overrides = ["microscope.timing.stage_settle_s=1.0", "eds.max_live_s=2.0", "budget.eds_live_s=3.0"]
    with check(load_config(config, overrides)) as checked:
        plan, scope = plan_session(checked), checked.microscope
        hop_s = float(scope.predict_travel_s(np.array([3 * 25.6]))[0])
        frame_s, overhead_s = (
            scope.predict_image_s(imaging(checked.config.imaging.reference)),
            scope.predict_spectrum_s(0),
        )
    # one inclusion on a field, its class nine in ten sure; 0.2 s each are expected, and 0.2 s to read a frame
    chance = np.sqrt(0.9 * 0.1 * (hop_s + frame_s + 0.2) / (overhead_s + 0.2))
    p50, p90 = (max(getattr(t, name) for t in plan.targets) for name in ("fields_p50", "fields_p90"))
    assert plan.spectra_per_field == pytest.approx(chance)
    assert plan.eds_live_s == pytest.approx(p50 * chance * 0.2)
    assert plan.eds_live_p90_s == pytest.approx(p90 * min(chance * 0.5 / 0.3, 1.0) * 0.2)
    assert plan.seconds_per_field > frame_s + 0.2 + chance * (overhead_s + 0.2)
    assert any("budget.eds_live_s allows 3 s" in warning for warning in plan.warnings)
    with check(load_config(config, ["eds.enabled=false"])) as checked:
        assert plan_session(checked).eds_live_s == 0


def test_an_instrument_without_what_spectra_need_is_refused_before_it_is_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tomllib.loads(default_pvs())
    del document["spectrum"], document["scan"]["spot_x"]
    (tmp_path / "sem.toml").write_text(tomli_w.dumps(document))
    session = SESSION.replace('kind = "simulated"', 'kind = "epics"\nprefix = "Nobody:"')
    session = session.replace('specimen = "{specimen}"', 'pv_map = "sem.toml"').replace(
        'kind = "truth"', 'kind = "threshold"\nclasses = ["matrix", "oxide"]'
    )
    (tmp_path / "session.toml").write_text(session)
    assert main(["run", str(tmp_path / "session.toml"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    for problem in ("has no table [spectrum]", "has no scan.spot_x", "'sulphide' is neither"):
        assert problem in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("budget.eds_live_s=0.5", "longer than budget.eds_live_s"),
        ("statistics.tier=guaranteed", "guaranteed"),
        ("targets.0.class=MnSe", "'MnS'"),
        ("eds.groups={sulphide=['MnS', 'FeS']}", "'FeS' is not a spectral class"),
        ("eds.groups={sulfide=['MnS']}", "did you mean 'sulphide'"),
        ("eds.classes=nowhere.toml", "nowhere.toml"),
        ("eds.matrix={Xx=1.0}", "Xx"),
        ("eds.confidence=0.2", "eds.confidence"),
        ("eds.shift_ev=[0.0, 5000.0]", "off by more than 80 eV"),
        ("beam.kv=15.0", "set beam.kv = 20"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_touched(
    override: str, said: str, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, extra = tmp_path / "session", ["--set", override]
    if "guaranteed" in override:
        extra += ["--set", "policy.exploration=0.6"]
    assert main(["run", str(config), "--out", str(out), *extra]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def _negative(spectra: h5py.Group) -> None:
    for dataset in spectra.values():
        dataset[...] = -dataset[...]


def _uncalibrated(spectra: h5py.Group) -> None:
    del spectra["oxide"].attrs["ev_per_channel"]


def _two_axes(spectra: h5py.Group) -> None:
    spectra["oxide"].attrs["ev_per_channel"] = 5.0


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_negative, "counts that are negative or not finite"),
        (_uncalibrated, "oxide lacks ev_per_channel"),
        (_two_axes, "differ in their axes"),
    ],
)
def test_spectra_that_cannot_be_used_are_refused_before_anything_is_touched(
    spoil: Callable[[h5py.Group], None], said: str, steel: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    spoilt, out = tmp_path / "spoilt.h5", tmp_path / "session"
    spoilt.write_bytes(steel.read_bytes())
    with h5py.File(spoilt, "r+") as file:
        spoil(file["/truth/spectra"])
    (tmp_path / "session.toml").write_text(SESSION.format(specimen=spoilt))
    assert main(["run", str(tmp_path / "session.toml"), "--out", str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
