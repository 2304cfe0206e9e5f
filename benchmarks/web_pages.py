"""The labelling page in headless Chromium: when a leased frame is visible, and how zoom and pan go."""

from __future__ import annotations

import shutil
import tempfile
from itertools import pairwise

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1400,950",
)  # fmt: skip

MOVE = """
const [done, steps] = [arguments[arguments.length - 1], 180];
const canvas = document.getElementById('canvas');
const box = canvas.getBoundingClientRect();
const wheel = (dy) => canvas.dispatchEvent(new WheelEvent('wheel', {
  deltaY: dy, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2, cancelable: true }));
const key = (k) => document.dispatchEvent(new KeyboardEvent('keydown', { key: k, bubbles: true }));
const stamps = [];
function frame(now) {
  stamps.push(now);
  const n = stamps.length;
  if (n > steps) return done(stamps);
  if (n < 60) wheel(-40);
  else if (n < 120) key(['ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowUp'][n % 4]);
  else wheel(40);
  requestAnimationFrame(frame);
}
document.body.focus();
requestAnimationFrame(frame);
"""


def measure_page(link: str, size: int) -> None:
    """Prints what an expert at the page waits for.

    Args:
        link: the printed link of a server with a queue of six requests.
        size: edge of its frames, pixels.
    """
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={tempfile.mkdtemp()}"):
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or ""
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        visible = _answer_five(browser, link)
        print(
            f"page, {size} x {size}: from lease to visible {visible} ms, one number for each of five frames"
        )
        browser.execute_script("document.getElementById('heat-on').click()")
        stamps = browser.execute_async_script(MOVE)
        gaps = sorted(b - a for a, b in pairwise(stamps))
        rate, median, slow = 1000 * len(gaps) / sum(gaps), gaps[len(gaps) // 2], gaps[int(0.95 * len(gaps))]
        print(f"page, {size} x {size}: zoom and pan with mask and uncertainty at {rate:.0f} frames/s;")
        print(f"    from frame to frame {median:.1f} ms median, {slow:.1f} ms in 95 of 100")
    finally:
        browser.quit()


def _answer_five(browser: webdriver.Chrome, link: str) -> list[int]:
    wait = WebDriverWait(browser, 120)
    browser.get(link.replace("/?", "/label?"))
    wait.until(lambda b: b.find_element(By.ID, "ask-name").is_displayed())
    browser.find_element(By.ID, "name").send_keys("benchmark", Keys.ENTER)
    seen: list[int] = []
    for _ in range(5):
        wait.until(lambda b: b.execute_script("return document.body.dataset.visibleMs"))
        seen.append(int(browser.execute_script("return document.body.dataset.visibleMs")))
        browser.execute_script("delete document.body.dataset.visibleMs")
        if len(seen) < 5:  # no expert is so quick that the page could not read the next frame meanwhile
            wait.until(lambda b: b.execute_script("return document.body.dataset.ahead"))
            browser.execute_script("delete document.body.dataset.ahead")
            browser.execute_script("document.getElementById('submit').click()")
    return seen
