"""Who gets in, and what is refused before anything is read."""

import re

import pytest

from autoscope.web.rate import RateLimit

TOKEN = "correct-horse"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/sessions"),
        ("GET", "/api/requests"),
        ("POST", "/api/requests/lease"),
        ("PUT", "/api/requests/1/answer"),
        ("POST", "/api/sessions/running/stop"),
        ("GET", "/openapi.json"),
        ("GET", "/"),
        ("GET", "/label"),
        ("GET", "/static/style.css"),
        ("GET", "/nowhere"),
    ],
)
def test_everything_needs_the_token(anyone, method, path):
    answer = anyone.request(method, path)
    assert answer.status_code == 401
    assert "token" in answer.json()["detail"]


def test_a_browser_without_the_token_is_shown_the_login_page(anyone):
    answer = anyone.get("/label", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Flabel")
    assert anyone.get("/login").status_code == 200


def test_a_wrong_token_is_refused(anyone):
    assert anyone.get("/api/sessions", headers={"Authorization": "Bearer nearly"}).status_code == 401
    assert anyone.get("/api/sessions?token=nearly").status_code == 401


def test_the_link_sets_a_cookie_and_takes_the_token_out_of_the_address(anyone):
    answer = anyone.get(f"/?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert TOKEN not in cookie
    assert anyone.get("/").status_code == 200
    assert anyone.get("/api/requests").status_code == 200


def test_login_by_form(anyone):
    answer = anyone.post("/login", data={"token": TOKEN, "next": "/label"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/label")
    assert anyone.get("/label").status_code == 200


@pytest.mark.parametrize("after", ["//evil.example", "/\\evil.example", "https://evil.example"])
def test_login_never_leads_to_another_server(anyone, after):
    answer = anyone.post("/login", data={"token": TOKEN, "next": after})
    assert re.match(r"/(?![/\\])", answer.headers["location"])


def test_logins_are_limited(anyone):
    for _ in range(5):
        assert anyone.post("/login", data={"token": "guess"}).status_code == 401
    refused = anyone.post("/login", data={"token": TOKEN})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60


def test_a_limit_forgets_failures_that_are_over():
    now = [0.0]
    limit = RateLimit(2, 10.0, lambda: now[0])
    limit.failed("a")
    now[0] = 4.0
    limit.failed("a")
    assert limit.wait_s("a") == 6.0
    assert limit.wait_s("b") == 0.0
    now[0] = 10.0
    assert limit.wait_s("a") == 0.0


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_changes_from_another_origin_are_refused(client, queue, headers):
    answer = client.post("/api/requests/lease", json={"expert": "anna"}, headers=headers)
    assert answer.status_code == 403
    assert queue.progress().by_state["leased"] == 0


def test_changes_from_our_own_page_are_not(client):
    headers = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/requests/lease", json={"expert": "anna"}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/login", "/label", "/api/sessions", "/static/style.css", "/api/nowhere"]
)
def test_every_answer_keeps_browsers_strict(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert "default-src 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/", "/login", "/label", "/sessions/running"])
def test_no_page_has_a_script_or_a_handler_in_it(client, path):
    page = client.get(path).text
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    assert not re.search(r"\son\w+\s*=|\sstyle=|javascript:", page)
    assert not re.search(r"https?://(?!www\.w3\.org)", page), "works offline: nothing from elsewhere"


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2f..%2fetc", "%2fetc%2fpasswd", "running%00", "~"])
def test_no_path_leads_out_of_the_store(client, running, name):
    (running.folder.parent.parent / "events.jsonl").write_text("{}\n")  # what must not be reached
    for path in (f"/api/sessions/{name}", f"/api/sessions/{name}/events", f"/static/{name}/pyproject.toml"):
        assert client.get(path).status_code == 404


def test_a_link_that_leads_out_of_the_store_is_not_followed(client, sessions, finished, tmp_path):
    outside = finished.folder.rename(tmp_path / "outside")
    (sessions / "inside").symlink_to(outside)
    assert client.get("/api/sessions").json() == []
    assert client.get("/api/sessions/inside").status_code == 404
