"""The pages of the API: its documentation and its forms, without a file from elsewhere."""

from __future__ import annotations

import json

from playwright.sync_api import Page, expect

from tests.browser.conftest import Screenshot
from tests.live import ADMIN


def test_swagger_ui_shows_the_operations(page: Page, screenshot: Screenshot) -> None:
    page.goto("/v1/docs")
    expect(page.locator(".opblock", has_text="/v1/auth/login")).to_be_visible()
    screenshot(page, "swagger-ui")


def test_redoc_shows_the_operations(page: Page, screenshot: Screenshot) -> None:
    page.goto("/v1/redoc")
    expect(page.locator("[data-section-id*='operation/']").first).to_be_visible()
    screenshot(page, "redoc")


def test_browsable_api_shows_an_answer(signed_in: Page, screenshot: Screenshot) -> None:
    signed_in.goto("/v1/auth/me")
    expect(signed_in.locator(".response-info")).to_contain_text(ADMIN[0])
    screenshot(signed_in, "browsable-api")


def test_browsable_api_html_form_makes_an_api_key(signed_in: Page) -> None:
    signed_in.goto("/v1/auth/keys")
    signed_in.get_by_role("link", name="HTML form").click()
    form = signed_in.locator("#post-object-form")
    form.locator("[name=name]").fill("of a form")
    form.locator("[name=scopes]").select_option(["read", "jobs"])
    form.get_by_role("button", name="POST").click()
    expect(signed_in.locator(".response-info")).to_contain_text("HTTP 201 Created")
    expect(signed_in.locator(".response-info")).to_contain_text("jobs")


def test_browsable_api_form_makes_an_api_key(signed_in: Page, screenshot: Screenshot) -> None:
    signed_in.goto("/v1/auth/keys")
    signed_in.get_by_text("Raw data").click()
    form = signed_in.locator("#post-generic-content-form")
    form.locator("textarea").fill(json.dumps({"name": "of a browser", "scopes": ["read"]}))
    form.get_by_role("button", name="POST").click()
    expect(signed_in.locator(".response-info")).to_contain_text("HTTP 201 Created")
    expect(signed_in.locator(".response-info")).to_contain_text("of a browser")
    screenshot(signed_in, "browsable-api-form")
