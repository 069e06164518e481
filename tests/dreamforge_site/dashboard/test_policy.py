"""What pages of the admin may load."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from dreamforge_site.dashboard import policy
from tests.callers import staff


@pytest.mark.parametrize("path", ["/admin/", "/admin/jobs/job/", "/admin/jobs/queue/"])
def test_pages_run_no_script_that_stands_in_them(operator: Client, path: str) -> None:
    rules = operator.get(path)["Content-Security-Policy"]
    [scripts] = [rule for rule in rules.split("; ") if rule.startswith("script-src ")]
    assert scripts == "script-src 'self' 'unsafe-eval'"
    assert "frame-ancestors 'none'" in rules
    assert "base-uri 'none'" in rules


def test_the_sign_in_page_has_the_same_rules(db: None) -> None:
    assert "script-src 'self'" in Client().get("/admin/login/")["Content-Security-Policy"]


def test_a_refusal_has_no_page_to_protect(db: None) -> None:
    assert staff("newcomer").get("/admin/jobs/job/").status_code == 403


@pytest.mark.parametrize(
    ("links", "origin"),
    [
        ({}, ""),
        (
            {"OPTIONS": {"endpoint_url": "https://s3.example.org:9000/x"}},
            "https://s3.example.org:9000",
        ),
        ({"OPTIONS": {"endpoint_url": None, "bucket_name": "b"}}, "https://*.amazonaws.com"),
    ],
)
def test_images_come_from_where_their_links_lead(
    settings: Settings, links: dict[str, dict[str, str]], origin: str
) -> None:
    settings.STORAGES = {**settings.STORAGES, "links": links}
    assert policy.image_origins() == origin
    sources = " ".join(["'self'", "data:", "blob:", *filter(None, [origin])])
    assert f"img-src {sources};" in policy.text(origin)
