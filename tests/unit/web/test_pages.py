"""The pages in a real browser: a person's whole path, by mouse and by keyboard alone."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import uvicorn

from autoscope.labels import LabelQueue
from autoscope.perception import shipped_model
from autoscope.perception.weights import read_network
from autoscope.records import CommandTail
from autoscope.web.application import create_app
from autoscope.web.live.stream import Watchers
from autoscope.web.settings import WebSettings

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1400,950",
)  # fmt: skip
WAIT_S = 60

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None, reason="chromium or chromedriver is not installed"
    ),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def served(sessions, queue: LabelQueue) -> Iterator[WebSettings]:
    """The application on a port of its own, in this process."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    settings = WebSettings(sessions=sessions, token="secret", port=port, guidelines={"pearlite": "striped"})
    watchers = Watchers()
    config = uvicorn.Config(create_app(settings, queue, watchers), log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield settings
    finally:
        watchers.close()
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture
def until(browser) -> Callable[[Callable], object]:
    return lambda condition: WebDriverWait(browser, WAIT_S).until(lambda _: condition())


@pytest.fixture(autouse=True)
def quiet(browser) -> None:
    """Leaves the page of the test before, whose server is gone, and what it complained of."""
    browser.get("about:blank")
    browser.get_log("browser")


def by_id(browser, name: str):
    return browser.find_element(By.ID, name)


def press(browser, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def complaints(browser) -> list[str]:
    """What the browser's console says of errors; refusals that a test provokes are its own affair."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def begin(browser, until, served: WebSettings, name: str) -> None:
    """Opens the printed link, goes to the labelling page, and says who one is."""
    browser.delete_all_cookies()
    browser.get(served.link)
    assert "token" not in browser.current_url
    browser.find_element(By.LINK_TEXT, "Labelling").click()
    until(lambda: by_id(browser, "ask-name").is_displayed())
    by_id(browser, "name").send_keys(name, Keys.ENTER)
    until(lambda: by_id(browser, "desk").is_displayed() and shown(browser))


def sent(session) -> list[str]:
    return [command.command for command in CommandTail(session.folder).read()]


def shown(browser) -> str:
    return (
        by_id(browser, "title").text
        if browser.execute_script("return document.body.dataset.visibleMs")
        else ""
    )


def test_an_expert_scribbles_corrects_submits_and_gets_the_next(browser, until, served, queue, request_of):
    truth = np.zeros((256, 256), np.uint8)
    truth[:, 128:] = 1
    noise = np.random.default_rng(0).normal(0, 8, truth.shape)
    frame = np.clip(80 + 90 * truth + noise, 0, 255).astype(np.uint8)
    wrong = np.zeros_like(truth)
    wrong[:, 200:] = 1
    number = queue.add(
        request_of(9, frame=frame, prediction=wrong, uncertainty=np.abs(truth - wrong) * 0.8, score=9.0)
    )
    begin(browser, until, served, "Anna")
    assert shown(browser) == "A-17, field 9"
    canvas = by_id(browser, "canvas")
    size = canvas.size
    edge = min(size["width"], size["height"])
    press(browser, "s", "2")
    for column, key in ((0.75, "2"), (0.2, "1")):
        press(browser, key)
        start = ActionChains(browser).move_to_element_with_offset(canvas, int((column - 0.5) * edge), -60)
        start.click_and_hold().move_by_offset(0, 60).move_by_offset(0, 60).release().perform()
        until(lambda: "suggestion after" in by_id(browser, "status").text)
    press(browser, "b", "3")
    ActionChains(browser).move_to_element_with_offset(canvas, 0, 0).click().perform()
    press(browser, Keys.ENTER)
    until(lambda: shown(browser) not in ("", "A-17, field 9"))
    (stored,) = queue.answers()
    mask = queue.mask(stored.id)
    assert (stored.request_id, stored.expert, stored.started_from) == (number, "Anna", "prediction")
    assert set(stored.tool.split("+")) == {"scribble", "scribbles", "brush"}
    assert mask[128, 128] == 2, "the brush in the middle of the view"
    assert (wrong == truth).mean() < 0.75 < 0.9 < (mask == truth).mean(), "it follows the strokes"
    until(lambda: "1 answered" in by_id(browser, "progress").text)
    until(lambda: "20 ± 10 % → 22.0" in by_id(browser, "effects").text)
    assert complaints(browser) == []


def test_the_next_frame_is_read_while_this_one_is_worked_on(browser, until, served, queue, request_of):
    size = (64, 64)
    for field in (11, 12):
        frame, prediction = np.full(size, 10 * field, np.uint8), np.full(size, field % 2, np.uint8)
        unsure = np.zeros(size, np.uint8)
        queue.add(request_of(field, frame=frame, prediction=prediction, uncertainty=unsure, score=field))
    begin(browser, until, served, "Ben")
    (lease,) = queue.leases("Ben")
    following = queue.upcoming("Ben")
    until(lambda: browser.execute_script("return document.body.dataset.ahead") == str(following.id))
    read = (
        "return performance.getEntriesByType('resource').map((e) => e.name).filter((n) => n.endsWith('.png'))"
    )
    assert any(f"/requests/{following.id}/image.png" in name for name in browser.execute_script(read))
    browser.execute_script("performance.clearResourceTimings()")
    press(browser, Keys.ENTER)
    until(lambda: queue.leases("Ben") and queue.leases("Ben")[0].request.id == following.id)
    until(lambda: shown(browser) == f"{following.session}, field {following.field}")
    names = browser.execute_script(read)
    assert not any(f"/requests/{following.id}/" in name for name in names)  # nothing was waited for
    press(browser, Keys.ENTER)
    until(lambda: len(queue.answers()) == 2)
    for answer in queue.answers():
        shown_first = queue.prediction(answer.request_id)
        np.testing.assert_array_equal(queue.mask(answer.id), shown_first)  # the mask is this request's own
    assert queue.answers()[0].request_id == lease.request.id


def test_who_has_no_link_types_the_token(browser, until, served):
    browser.delete_all_cookies()
    browser.get(served.link.partition("?")[0] + "label")
    assert browser.current_url.endswith("/login?next=%2Flabel")
    by_id(browser, "token").send_keys("wrong", Keys.ENTER)
    until(lambda: "not the token" in browser.page_source)
    by_id(browser, "token").send_keys("secret", Keys.ENTER)
    until(lambda: browser.current_url.endswith("/label"))
    browser.get_log("browser")  # the refusal of the wrong token


def test_review_without_a_mouse(browser, until, served, queue, request_of):
    prediction = np.zeros((96, 128), np.uint8)
    prediction[32:64, 64:96] = 1
    uncertainty = np.where(prediction == 1, 0.9, 0.05)
    queue.add(
        request_of(9, frame=100 * prediction, prediction=prediction, uncertainty=uncertainty, score=9.0)
    )
    begin(browser, until, served, "Ben")
    until(lambda: press(browser, "n") or "90 % unsure" in by_id(browser, "status").text)
    press(browser, "f", "3", " ")
    press(browser, "z", "y", "z")
    assert "8.3 %" in by_id(browser, "classes").text.split("pearlite")[1].split("pore")[0], "undone"
    press(browser, "y", Keys.ENTER)
    until(lambda: shown(browser) not in ("", "A-17, field 9"))
    (stored,) = queue.answers()
    assert (queue.mask(stored.id) == 2 * prediction).all()
    assert stored.tool == "fill"
    press(browser, "x")
    until(lambda: by_id(browser, "ask-reason").is_displayed())
    by_id(browser, "reason").send_keys("out of focus", Keys.ENTER)
    until(lambda: ("out of focus",) in [r.skip_reasons for r in queue.requests()])
    assert complaints(browser) == []


def canvas(browser) -> str:
    """What is painted now, in few letters."""
    return browser.execute_async_script(
        "const done = arguments[0], c = document.getElementById('canvas');"
        "requestAnimationFrame(() => requestAnimationFrame(async () => {"
        " const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
        " const hash = await crypto.subtle.digest('SHA-256', data);"
        " done(Array.from(new Uint8Array(hash)).join(' ')); }))"
    )


def test_an_expert_asks_why_and_the_mask_stays(browser, until, served, queue, pearlite):
    pytest.importorskip("captum")
    read_network(shipped_model("pearlite"))  # what it needs is loaded: the page waits for the map alone

    def said():
        return by_id(browser, "why-said").text

    def status():
        return by_id(browser, "status").text

    begin(browser, until, served, "Dora")
    press(browser, "2")
    plain = canvas(browser)
    press(browser, "w")
    until(lambda: "Where its deepest features speak for pearlite" in said())
    assert status().endswith("Grad-CAM for pearlite")
    assert by_id(browser, "why-grad-cam").is_selected()
    assert "not whether it is right" in by_id(browser, "why").text
    seen = {plain, canvas(browser)}
    press(browser, "w")
    until(lambda: "when a place is hidden" in said())
    assert by_id(browser, "why-low").text.startswith("rises by 0.")
    assert by_id(browser, "why-high").text.startswith("falls by 0.")
    seen.add(canvas(browser))
    press(browser, "1")
    until(lambda: status().endswith("Occlusion map for ferrite"))
    seen.add(canvas(browser))
    by_id(browser, "why-grad-cam").click()
    until(lambda: status().endswith("Grad-CAM for ferrite"))
    press(browser, "+")  # the keys still work while the button has the focus
    seen.add(canvas(browser))
    assert len(seen) == 5
    press(browser, "0", "2", "w", "w")
    until(lambda: by_id(browser, "why-none").is_selected())
    assert said() == ""
    assert not by_id(browser, "why-key").is_displayed()
    assert canvas(browser) == plain
    assert complaints(browser) == []
    press(browser, Keys.ENTER)
    until(lambda: shown(browser) not in ("", "A-17, field 9"))
    (stored,) = queue.answers()
    assert (stored.request_id, stored.tool) == (pearlite, "review")
    np.testing.assert_array_equal(queue.mask(stored.id), queue.prediction(pearlite))
    press(browser, "w")
    until(lambda: "Grad-CAM cannot be had" in said())
    assert "is not at hand" in said()
    press(browser, "w", "w")
    assert said() == ""


def test_a_lease_survives_a_reload_and_nothing_to_do_is_said(browser, until, served, queue):
    begin(browser, until, served, "Cleo")
    first = shown(browser)
    browser.refresh()
    until(lambda: shown(browser) == first)
    assert queue.progress().by_state["leased"] == 1
    for left in (2, 1, 0):
        press(browser, Keys.ENTER)
        until(lambda left=left: queue.progress().by_state["answered"] == 3 - left)
        until(lambda: not browser.execute_script("return document.querySelector('#said.bad')"))
        until(lambda left=left: left == 0 or (shown(browser) and queue.progress().by_state["leased"] == 1))
    until(lambda: by_id(browser, "nothing").is_displayed())


def test_an_operator_watches_pauses_and_resumes(browser, until, served, running):
    browser.delete_all_cookies()
    browser.get(served.link)
    until(lambda: browser.find_elements(By.LINK_TEXT, "A-17 (running)"))
    browser.find_element(By.LINK_TEXT, "A-17 (running)").click()
    until(lambda: by_id(browser, "title").text == "A-17")
    until(lambda: "2 of 24 fields" in by_id(browser, "facts").text)
    assert by_id(browser, "simulated").is_displayed()
    running.measure(0.4)
    until(lambda: "3 of 24 fields" in by_id(browser, "facts").text)
    assert "the overview expects" in by_id(browser, "decisions").text
    painted = browser.execute_script(
        "const c = document.getElementById('map');"
        "return new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    )
    assert painted > 20
    by_id(browser, "pause").click()
    until(lambda: by_id(browser, "resume").is_displayed())
    by_id(browser, "resume").click()
    until(lambda: sent(running) == ["pause", "resume"])
    by_id(browser, "stop").click()
    until(lambda: by_id(browser, "ask-stop").is_displayed())
    press(browser, Keys.TAB, Keys.ENTER)
    until(lambda: sent(running) == ["pause", "resume", "stop"])
    assert complaints(browser) == []
