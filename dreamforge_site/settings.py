"""Django's settings, all of them derived from the one parsed environment."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import django_stubs_ext

from dreamforge_site import databases, logs, secret_key
from dreamforge_site.environment import BASE_DIR, read

django_stubs_ext.monkeypatch()  # lets admin classes and querysets name their model: ModelAdmin[Job]

ENVIRONMENT = read(os.environ)

SECRET_KEY = (
    ENVIRONMENT.secret_key.get_secret_value()
    if ENVIRONMENT.secret_key
    else secret_key.ensure(ENVIRONMENT.data_dir / "secret_key")
)
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = [*ENVIRONMENT.allowed_hosts]
if not ENVIRONMENT.in_production:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_results",
    "corsheaders",
    "dreamforge_site.accounts",
    "dreamforge_site",
    "registry",
    "jobs",
    "downloader",
]

# Few, because each costs every request: the full stock set tripled the CPU of one.
MIDDLEWARE = [
    "dreamforge_site.operations.requests.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "dreamforge_site.urls"
WSGI_APPLICATION = "dreamforge_site.wsgi.application"
APPEND_SLASH = True

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# Databases
_database_url = (
    ENVIRONMENT.database_url.get_secret_value()
    if ENVIRONMENT.database_url
    else f"sqlite:///{ENVIRONMENT.data_dir / 'dreamforge.sqlite3'}"
)
DATABASES = {"default": databases.parse(_database_url, ENVIRONMENT.database_pool)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Accounts
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["dreamforge_site.accounts.passwords.BcryptHasher"]
BCRYPT_ROUNDS = ENVIRONMENT.bcrypt_rounds
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTH_REQUIRED = ENVIRONMENT.auth_required
ALLOW_REGISTRATION = ENVIRONMENT.allow_registration
ACCESS_TOKEN_TTL = timedelta(seconds=ENVIRONMENT.access_token_ttl_s)
REFRESH_TOKEN_TTL = timedelta(seconds=ENVIRONMENT.refresh_token_ttl_s)
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# The web's own safety
_https = ENVIRONMENT.https_required
SECURE_SSL_REDIRECT = _https
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]  # probes speak plain http
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
SECURE_PROXY_SSL_HEADER = None  # the server itself believes X-Forwarded-Proto of DF_TRUSTED_PROXIES
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "dreamforge_site.api.failures.csrf_failure"
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ENVIRONMENT.allowed_hosts if host != "*"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576

CORS_ALLOWED_ORIGINS = list(ENVIRONMENT.cors_origins)
CORS_ALLOWED_ORIGIN_REGEXES = (
    [] if ENVIRONMENT.in_production else [r"^https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$"]
)
CORS_URLS_REGEX = r"^/(v1|openai|hf)/"
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "prefer",
    "x-api-key",
    "x-client-request-id",
    "x-csrftoken",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = [
    "Idempotent-Replayed",
    "Link",
    "Location",
    "Retry-After",
    "X-Request-ID",
]

# The API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "dreamforge_site.accounts.authentication.BearerAuthentication",
        "dreamforge_site.accounts.authentication.SessionAuthentication",
        "dreamforge_site.accounts.authentication.OpenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "dreamforge_site.accounts.permissions.KeyScope",
        "dreamforge_site.api.strictness.DeclaredQuery",
    ],
    "DEFAULT_PARSER_CLASSES": [
        "dreamforge_site.api.parsers.StrictJSONParser",
        "dreamforge_site.api.parsers.StrictFormParser",
    ],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "dreamforge_site.api.renderers.BrowsableRenderer",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "dreamforge_site.api.renderers.Negotiation",
    "DEFAULT_PAGINATION_CLASS": "dreamforge_site.api.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "dreamforge_site.api.schema.ContractSchema",
    "EXCEPTION_HANDLER": "dreamforge_site.api.failures.handle",
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Dream Forge",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/v1",
}

# Background work: the database holds the queue, Celery rings the bell (docs/adr)
CELERY_BROKER_URL = (
    ENVIRONMENT.broker_url.get_secret_value() if ENVIRONMENT.broker_url else "embedded"
)

# Files
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
_collected = (STATIC_ROOT / "staticfiles.json").exists()
# Images collect at build time; a checkout serves straight from the packages.
WHITENOISE_USE_FINDERS = not _collected
STORAGES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": ENVIRONMENT.data_dir / "artifacts"},
    },
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if _collected
        else "django.contrib.staticfiles.storage.StaticFilesStorage",
    },
}
if ENVIRONMENT.storage == "s3":
    _access, _secret = ENVIRONMENT.s3_access_key, ENVIRONMENT.s3_secret_key
    STORAGES["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": ENVIRONMENT.s3_bucket,
            "endpoint_url": ENVIRONMENT.s3_endpoint,
            "region_name": ENVIRONMENT.s3_region,
            "access_key": _access.get_secret_value() if _access else None,
            "secret_key": _secret.get_secret_value() if _secret else None,
            "addressing_style": "path" if ENVIRONMENT.s3_endpoint else "auto",
            "signature_version": "s3v4",
            "default_acl": None,
            "file_overwrite": True,
            "querystring_auth": True,
        },
    }

# Language and time
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

LOGGING_CONFIG = None
logs.configure(ENVIRONMENT)
