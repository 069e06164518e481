"""The examples that the OpenAPI document shows for the account calls."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample

_USER_ID = "0b0e2a57-5a0e-4c1c-9d0a-6a1f3a1f7c11"
_KEY = {
    "id": "6f2d9a34-2a0b-4b55-8f0f-1f6f8f0b9c02",
    "name": "nightly renders",
    "prefix": "k3v9x2ma",
    "scopes": ["read", "jobs"],
    "created_at": "2026-11-20T09:00:00.000000Z",
    "expires_at": "2027-11-20T09:00:00.000000Z",
    "last_used_at": None,
    "revoked_at": None,
}

CREDENTIALS = OpenApiExample(
    "Name and password",
    value={"username": "workshop", "password": "correct horse battery"},
    request_only=True,
)
REGISTERED = OpenApiExample(
    "The new user",
    value={"id": _USER_ID, "username": "workshop"},
    response_only=True,
    status_codes=["201"],
)
REFRESH = OpenApiExample(
    "A refresh token",
    value={"refresh": "Jb1eVd0Yz8kqB0Fq0m2v5T3lA9wXcR7uN4sPgHhKi6E"},
    request_only=True,
)
TOKENS = OpenApiExample(
    "New tokens",
    value={
        "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl",
        "refresh": "q8Wm1xO3c5R7tY9uI0pA2sD4fG6hJ8kL1zX3cV5bN7M",
        "expires_in": 900,
        "user": {"id": _USER_ID, "username": "workshop", "is_admin": False},
    },
    response_only=True,
    status_codes=["200"],
)
CALLER = OpenApiExample(
    "The caller",
    value={"id": _USER_ID, "username": "workshop", "is_admin": False},
    response_only=True,
    status_codes=["200"],
)
NEW_KEY = OpenApiExample(
    "A key for a script",
    value={
        "name": "nightly renders",
        "scopes": ["read", "jobs"],
        "expires_at": "2027-11-20T09:00:00Z",
    },
    request_only=True,
)
MADE_KEY = OpenApiExample(
    "The key, this once",
    value={**_KEY, "key": "dfk_k3v9x2ma_Jb1eVd0Yz8kqB0Fq0m2v5T3lA9wXcR7uN4sPgHhKi6E"},
    response_only=True,
    status_codes=["201"],
)
# The page around a list is drawn by the paginator's schema; an example is one row of it.
KEY = OpenApiExample("A key", value=_KEY, response_only=True, status_codes=["200"])
