import csv
import io
import json
import re
import time
from html.parser import HTMLParser

import pytest

from autoscope.core import RecordError
from autoscope.records import KindRecord, MicroscopeRecord, SessionWriter, open_session
from autoscope.report import ExplainedField, write_report

VOID = {"meta", "img", "br", "link", "hr"}


class Page(HTMLParser):
    """The text of a page; fails on tags that do not nest."""

    def __init__(self, path) -> None:
        super().__init__()
        self.open, self.words, self.tags, self.ids, self.hidden = [], [], [], [], 0
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)
        assert self.open == []
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.words.append(data)


def test_the_answer_comes_first_and_everything_is_said(play):
    session = play(steps=60)
    page = Page(write_report(session.folder))
    quantity = session.quantities[0]
    value, half = 100 * quantity.estimate, 100 * quantity.half_width
    said = re.search(r"Area fraction of pearlite ([\d.]+) ± ([\d.]+) %", page.text)
    assert float(said[1]) == pytest.approx(value, abs=0.06)
    assert float(said[2]) == pytest.approx(half, abs=0.06)
    in_order = [
        "A-17", "Area fraction of pearlite", "Target", "95 % confidence interval", "%RA", "60 of 192",
        "Features smaller than 0.5 µm", "Simulated microscope: simulated SEM", "every target was reached",
        "J. Smith", "longitudinal section", "generated, seed 0", "CC0-1.0", "fields that mattered most",
        "It does not cover the model's own errors", "Large-sample interval", "Beam time", "Stage travel",
        "proportional", "3f" * 32, "a9" * 32, "difference (Des Raj)", "20 % of every draw", "autoscope 0.1.0",
        'kind = "simulated"',
    ]  # fmt: skip
    positions = [page.text.index(words) for words in in_order]
    assert positions == sorted(positions)


def test_the_page_needs_nothing_else(play):
    page = Page(write_report(play(targets=("pearlite", "ferrite")).folder))
    assert not [tag for tag, _ in page.tags if tag in {"script", "link", "iframe"}]
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes[name][:60])
        if tag == "img":
            assert attributes["alt"]
        if tag == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
    assert "@import" not in page.html
    assert len(page.ids) == len(set(page.ids))
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.tags


def test_every_reference_in_a_figure_has_its_target(play):
    page = Page(write_report(play(targets=("pearlite", "ferrite")).folder))
    references = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', page.html))
    assert references
    assert {a or b for a, b in references} <= set(page.ids)


def test_what_people_wrote_is_text_not_markup(play):
    session = play(targets=("<script>alert(1)</script>", 'a"b&c'))
    page = Page(write_report(session.folder))
    assert "<script" not in page.html
    assert "<script>alert(1)</script>" in page.text


def test_the_result_is_rebuilt(play):
    session = play()
    write_report(session.folder)
    result = json.loads((session.folder / "result.json").read_text())
    assert result == json.loads(open_session(session.folder).result().to_json())
    assert result["finish_reason"] == "targets_reached"


def test_an_interrupted_session_says_so_first(play):
    session = play(reason=None)
    page = Page(write_report(session.folder))
    assert page.text.index("Unfinished session.") < page.text.index("Area fraction of pearlite")
    result = json.loads((session.folder / "result.json").read_text())
    assert result["finish_reason"] == "failed"
    assert "never finished" in result["warnings"][0]


def test_a_session_interrupted_before_it_measured_anything_has_a_report(play):
    page = Page(write_report(play(steps=0, reason=None).folder))
    assert "not known yet" in page.text
    assert "no interval is defensible yet" in page.text


def test_a_running_session_keeps_its_result_to_itself(play):
    session = play(reason=None)
    writer, _ = SessionWriter.resume(session.folder)
    with writer:
        page = Page(write_report(session.folder))
        assert "Still running." in page.text
        assert not (session.folder / "result.json").exists()


def test_truth_is_printed_in_red(play):
    page = Page(write_report(play(model=KindRecord(kind="truth")).folder))
    assert "Model kind: truth." in page.text
    assert ("td", {"class": "stop"}) in page.tags


def test_a_real_microscope_is_not_called_simulated(play):
    session = play(microscope=MicroscopeRecord(kind="epics", simulated=False, name="SEM 2"))
    page = Page(write_report(session.folder))
    assert "Model kind: truth." not in page.text
    assert "Microscope: SEM 2 (epics)" in page.text
    assert "Simulated microscope" not in page.text


def test_warnings_and_lost_fields_are_first_class(tmp_path, play):
    session = play(steps=10, reason=None)
    session.writer, _ = SessionWriter.resume(session.folder)
    with session.writer:
        session.warn("the pole piece is near")
        session.measure(lost=True)
        session.finish("budget_spent", warnings=("<dose>",))
    page = Page(write_report(session.folder))
    assert "the pole piece is near" in page.text
    assert "<dose>" in page.text
    assert "1 field was drawn and could not be measured" in page.text
    assert "because a budget was spent" in page.text
    assert "Crosses: fields that were lost" in page.text
    rows = list(csv.DictReader(io.StringIO((session.folder / "fields.csv").read_text())))
    assert rows[-1]["value"] == ""


def test_the_table_of_fields_is_enough_to_estimate_again(play):
    session = play(steps=30)
    write_report(session.folder)
    rows = list(csv.DictReader(io.StringIO((session.folder / "fields.csv").read_text())))
    assert [int(row["step"]) for row in rows] == list(range(1, 31))
    for row in rows:
        field = int(row["field"])
        assert float(row["value"]) == session.truth[field]
        assert float(row["predicted"]) == session.forecast[field]
        assert (float(row["x_um"]), float(row["y_um"])) == (session.x_um[field], session.y_um[field])
        assert float(row["weight"]) == pytest.approx(1 / 192)
        assert 0 < float(row["propensity"]) < 1
        assert row["class"] == "pearlite"


def test_a_census_and_a_raster_are_explained(play):
    census = play(columns=4, rows=4, steps=16, reason="exhausted")
    assert "Every field of the region was measured" in Page(write_report(census.folder)).text


def test_an_unfinished_raster_is_explained(play):
    raster = play(policy=KindRecord(kind="raster"))
    assert "A raster has no interval before its census is complete" in Page(write_report(raster.folder)).text


def test_nothing_to_report_is_an_error(tmp_path, play):
    with pytest.raises(RecordError, match="no session folder"):
        write_report(tmp_path / "nothing")
    session = play(steps=0, reason=None)
    (session.folder / "events.jsonl").write_text("")
    with pytest.raises(RecordError, match="nothing to report"):
        write_report(session.folder)


def test_the_same_records_give_the_same_page(play):
    folder = play().folder
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first


@pytest.mark.slow
def test_a_report_takes_seconds(play):
    session = play(steps=100, columns=60, rows=60, pixels=256, reason="targets_reached")
    begin = time.perf_counter()
    path = write_report(session.folder)
    assert time.perf_counter() - begin < 15  # about 2 s; a shared machine may be slow
    assert path.stat().st_size < 3e6


def test_what_the_model_looked_at_is_shown_on_request(play):
    session = play(steps=6)
    assert "What the model looked at" not in Page(write_report(session.folder)).text
    shown = ExplainedField(17, "pearlite", b"\x89PNG picture", "Field 17: pearlite <here>.")
    page = Page(write_report(session.folder, (shown,)))
    assert "What the model looked at" in page.text
    assert "Field 17: pearlite <here>." in page.text
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert "data:image/png;base64,iVBORyBwaWN0dXJl" in sources


def test_the_report_says_what_the_experts_changed() -> None:
    from autoscope.records import QuantityResult
    from autoscope.report.wording import experts

    corrected = QuantityResult(
        quantity="area_fraction",
        class_name="pearlite",
        estimate=0.222,
        ci_low=0.207,
        ci_high=0.238,
        covers="expert-corrected",
        extra={"model_estimate": 0.2801, "model_low": 0.2706, "model_high": 0.2897, "answers": 60.0},
    )
    assert experts(corrected) == (
        "Before the experts: 28.01 % (27.06 % to 28.97 %), by the model alone. Their 60 answers on a random"
        " sample of the frames moved it by −5.81 %."
    )
    assert experts(corrected.model_copy(update={"covers": "model"})) == ""
    unsure = {"model_estimate": 0.2, "answers": 20.0}
    assert "20.00 % (no interval)" in experts(corrected.model_copy(update={"extra": unsure}))
