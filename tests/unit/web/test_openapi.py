"""Everything that ``/openapi.json`` promises, and whatever else a client may send: never a 5xx."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

schemathesis = pytest.importorskip("schemathesis")

ROUTES = {
    ("GET", "/api/sessions"),
    ("GET", "/api/sessions/{session_id}"),
    ("GET", "/api/sessions/{session_id}/events"),
    *(("POST", f"/api/sessions/{{session_id}}/{name}") for name in ("pause", "resume", "stop", "skip")),
    ("GET", "/api/requests"),
    ("POST", "/api/requests/lease"),
    ("GET", "/api/requests/{request_id}"),
    *(("GET", f"/api/requests/{{request_id}}/{name}.png") for name in ("image", "prediction", "uncertainty")),
    *(("GET", f"/api/requests/{{request_id}}/{name}") for name in ("explanation", "explanation.png")),
    ("POST", "/api/requests/{request_id}/suggest"),
    ("PUT", "/api/requests/{request_id}/answer"),
    ("POST", "/api/requests/{request_id}/skip"),
    ("POST", "/api/requests/{request_id}/release"),
}


def test_every_route_is_described(client):
    paths = client.get("/openapi.json").json()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described >= ROUTES
    for methods in paths.values():
        for operation in methods.values():
            refusals = [status for status in operation["responses"] if status.startswith("4")]
            assert {"401", "403", "422", "429"} <= set(refusals)


def statuses_of(operation) -> set[int]:
    """What a route answers to a dozen requests made from its description."""
    seen = set()

    @given(case=operation.as_strategy())
    @settings(max_examples=12, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    def ask(case):
        answer = case.call(headers={"Authorization": "Bearer correct-horse"})
        assert answer.status_code < 500, (case, answer.text)
        seen.add(answer.status_code)

    ask()
    return seen


def test_no_request_makes_the_server_fail(make_app, running, finished):
    """Schemathesis makes requests from the description, valid and broken ones, for every route."""
    app = make_app()
    schema = schemathesis.openapi.from_asgi(
        "/openapi.json", app, headers={"Authorization": "Bearer correct-horse"}
    )
    routes = [result.ok() for result in schema.get_all_operations()]
    assert len(routes) >= len(ROUTES)
    statuses = {operation.label: statuses_of(operation) for operation in routes}
    assert statuses["GET /api/sessions"] == {200}
    assert any(200 in seen for label, seen in statuses.items() if label.startswith("GET /api/requests"))


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]),
    path=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30),
    body=st.binary(max_size=60),
    kind=st.sampled_from(["application/json", "image/png", "text/html", "\x01", ""]),
    cookie=st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=30),
)
def test_noise_is_refused_with_a_sentence(client, method, path, body, kind, cookie):
    from urllib.parse import quote

    headers = {"Content-Type": kind, "Cookie": cookie.encode("latin-1")}
    answer = client.request(method, "/" + quote(path), content=body, headers=headers)
    assert answer.status_code < 500
    if answer.status_code >= 400 and method != "HEAD":
        assert answer.json()["detail"]
