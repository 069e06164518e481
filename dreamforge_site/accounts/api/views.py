"""The account calls: parse, one call, render."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, cast

from django.contrib.auth import authenticate
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from dreamforge_site.accounts import clock, keys, registration, scopes, sign_ins
from dreamforge_site.accounts.api import examples, serializers
from dreamforge_site.accounts.authentication import OPEN
from dreamforge_site.accounts.errors import (
    ForbiddenError,
    InvalidInputError,
    UnauthenticatedError,
)
from dreamforge_site.accounts.models import ApiKey, User
from dreamforge_site.api.strictness import DeclaredQuery

NO_STORE = {"Cache-Control": "no-store"}


class OpenView(GenericAPIView[Any]):
    """For callers without credentials: none are looked at, so a stale token is no obstacle and a
    cookie means nothing, which leaves a forged request nothing to use."""

    authentication_classes = []
    permission_classes = [AllowAny, DeclaredQuery]

    def validated(self, request: Request) -> dict[str, Any]:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


class RegisterView(OpenView):
    serializer_class = serializers.CredentialsSerializer
    error_codes = ("forbidden", "conflict", "rate_limited")

    @extend_schema(
        operation_id="auth_register",
        summary="Make an account",
        description="Makes a user without any permission. Only where the operator set "
        "`DF_ALLOW_REGISTRATION`; otherwise 403. A name that differs from another only in upper "
        "and lower case or in its Unicode form is taken.",
        responses={201: serializers.RegisteredSerializer},
        examples=[examples.CREDENTIALS, examples.REGISTERED],
        tags=["auth"],
    )
    def post(self, request: Request) -> Response:
        registration.require_open()
        user = registration.register(
            **self.validated(request), address=request.META.get("REMOTE_ADDR", "")
        )
        return Response(
            serializers.RegisteredSerializer(user).data, status.HTTP_201_CREATED, headers=NO_STORE
        )


class LoginView(OpenView):
    serializer_class = serializers.CredentialsSerializer
    error_codes = ("unauthenticated", "rate_limited")

    @extend_schema(
        operation_id="auth_login",
        summary="Sign in",
        description="Exchanges a name and a password for an access token and a refresh token. A "
        "wrong name and a wrong password get the same answer; after ten wrong attempts from one "
        "address or for one name the answer is 429 until `Retry-After` has passed.",
        responses={200: serializers.TokensSerializer},
        examples=[examples.CREDENTIALS, examples.TOKENS],
        tags=["auth"],
    )
    def post(self, request: Request) -> Response:
        user = authenticate(request._request, **self.validated(request))
        if not isinstance(user, User):
            raise UnauthenticatedError("Wrong name or password.")
        return _tokens(sign_ins.begin(user))


class RefreshView(OpenView):
    serializer_class = serializers.RefreshSerializer
    error_codes = ("unauthenticated",)

    @extend_schema(
        operation_id="auth_refresh",
        summary="Renew the tokens",
        description="Exchanges a refresh token for a new pair; each is good for one use (parallel "
        "uses within 30 s are forgiven). A later second use ends the whole sign-in, as do a "
        "logout, another password and a deactivated account.",
        responses={200: serializers.TokensSerializer},
        examples=[examples.REFRESH, examples.TOKENS],
        tags=["auth"],
    )
    def post(self, request: Request) -> Response:
        return _tokens(sign_ins.refresh(self.validated(request)["refresh"]))


class LogoutView(OpenView):
    serializer_class = serializers.RefreshSerializer

    @extend_schema(
        operation_id="auth_logout",
        summary="Sign out",
        description="Revokes the sign-in that the refresh token belongs to, its access tokens "
        "included. Signing out twice, or with an unknown token, is no error.",
        responses={204: None},
        examples=[examples.REFRESH],
        tags=["auth"],
    )
    def post(self, request: Request) -> Response:
        sign_ins.end(self.validated(request)["refresh"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(GenericAPIView[User]):
    @extend_schema(
        operation_id="auth_me",
        summary="Who am I?",
        description="The caller, whatever the credentials: token, API key or session.",
        responses={200: serializers.CallerSerializer},
        examples=[examples.CALLER],
        tags=["auth"],
    )
    def get(self, request: Request) -> Response:
        return Response(serializers.CallerSerializer(_caller(request)).data)


class OwnKeysView(GenericAPIView[ApiKey]):
    """The caller's own keys, staff or not; the admin has everybody's."""

    scope = scopes.ADMIN
    list_key = "keys"
    queryset = ApiKey.objects.none()  # tells the schema the model

    def get_queryset(self) -> QuerySet[ApiKey]:
        return ApiKey.objects.filter(owner_id=self.request.user.pk)


class KeysView(OwnKeysView):
    serializer_class = serializers.NewApiKeySerializer

    @extend_schema(
        operation_id="auth_keys_list",
        summary="List your API keys",
        description="Newest first, the revoked and expired ones too. The keys themselves are not "
        "kept and cannot be shown.",
        responses={200: serializers.ApiKeySerializer(many=True)},
        examples=[examples.KEY],
        tags=["auth"],
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(serializers.ApiKeySerializer(page, many=True).data)

    @extend_schema(
        operation_id="auth_keys_create",
        summary="Make an API key",
        description="The answer holds the key; it is shown this once. A key can do what its owner "
        "may do and its scopes name. A key made with a key can have no scope that one lacks "
        "and ends no later than it does. With `DF_AUTH=off` a caller without credentials makes "
        "none.",
        responses={201: serializers.MadeApiKeySerializer},
        examples=[examples.NEW_KEY, examples.MADE_KEY],
        tags=["auth"],
    )
    def post(self, request: Request) -> Response:
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        _refuse_keys_of_nobody(request)
        _refuse_wider_scopes(request, wanted.validated_data["scopes"])
        key = keys.make(
            owner=_caller(request),
            name=wanted.validated_data["name"],
            scope_names=wanted.validated_data["scopes"],
            expires_at=_end_within_callers(request, wanted.validated_data["expires_at"]),
            by=request.user,
        )
        return Response(
            serializers.MadeApiKeySerializer(key).data, status.HTTP_201_CREATED, headers=NO_STORE
        )


class KeyView(OwnKeysView):
    @extend_schema(
        operation_id="auth_keys_revoke",
        summary="Revoke an API key",
        description="It stops working at once and stays in the list. Revoking it again is no "
        "error; somebody else's key is not found.",
        responses={204: None},
        tags=["auth"],
    )
    def delete(self, request: Request, key_id: uuid.UUID) -> Response:
        key = self.get_queryset().filter(pk=key_id).first()
        if key is None:
            raise Http404
        keys.revoke(key, by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _caller(request: Request) -> User:
    return cast(User, request.user)  # IsAuthenticated let it pass


def _tokens(pair: sign_ins.TokenPair) -> Response:
    return Response(serializers.TokensSerializer(pair).data, headers=NO_STORE)


def _refuse_keys_of_nobody(request: Request) -> None:
    if request.auth == OPEN:
        raise ForbiddenError("With DF_AUTH=off nobody needs a key; sign in to make one.")


def _end_within_callers(request: Request, wanted: datetime | None) -> datetime | None:
    """A key hands on no more time than it has itself."""
    end = request.auth.expires_at if isinstance(request.auth, ApiKey) else None
    if end is None or wanted is None:
        return wanted or end
    if wanted > end:
        problem = f"The key you call with ends at {clock.written(end)}; choose that or sooner."
        raise InvalidInputError("expires_at", problem)
    return wanted


def _refuse_wider_scopes(request: Request, wanted: list[str]) -> None:
    if not isinstance(request.auth, ApiKey):
        return
    wider = sorted(set(wanted) - set(request.auth.scopes))
    if wider:
        raise ForbiddenError(f"The key you call with lacks {', '.join(wider)}: not yours to give.")
