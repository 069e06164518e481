"""Django's settings, all of them derived from the one parsed environment."""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import django_stubs_ext
from pydantic import SecretStr

from dreamforge_site import (
    __version__,
    broker,
    data_directory,
    databases,
    logs,
    queues,
    secret_key,
    theme,
)
from dreamforge_site.environment import BASE_DIR, read

django_stubs_ext.monkeypatch()  # lets admin classes and querysets name their model: ModelAdmin[Job]

ENVIRONMENT = read(os.environ)
data_directory.make(ENVIRONMENT.data_dir)


def _revealed(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


SECRET_KEY = _revealed(ENVIRONMENT.secret_key) or secret_key.ensure(
    ENVIRONMENT.data_dir / "secret_key"
)
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = [*ENVIRONMENT.allowed_hosts]
if not ENVIRONMENT.in_production:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "dreamforge_site.accounts.admin_site.ForgeAdminConfig",
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
    "dreamforge_site.operations.probes.ProbeMiddleware",
    "dreamforge_site.api.transport.ApiTransportMiddleware",
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
    _revealed(ENVIRONMENT.database_url)
    or f"sqlite:///{quote(str(ENVIRONMENT.data_dir / 'dreamforge.sqlite3'))}"
)
DATABASES = {"default": databases.parse(_database_url, ENVIRONMENT.database_pool)}
if databases.is_file(DATABASES["default"]):
    data_directory.make_file(DATABASES["default"]["NAME"])
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Accounts
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["dreamforge_site.accounts.backends.ThrottledBackend"]
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
CSRF_TRUSTED_ORIGINS = [
    f"https://{'*' if host.startswith('.') else ''}{host}"
    for host in ENVIRONMENT.allowed_hosts
    if host != "*"
]
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
    "Preference-Applied",
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
        "dreamforge_site.api.renderers.ContractJSONRenderer",
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
    "DESCRIPTION": "Model downloads and SDXL images on your own GPUs. Every answer that is not 2xx "
    "has one shape, `Error`; every answer carries `X-Request-Id`. Times are ISO 8601 in UTC with "
    "microseconds. Unknown fields and query parameters are refused; bodies end at 1 MiB where "
    "the operation does not say more.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/v1",
    # The browsable API's forms are no part of the contract.
    "PARSER_WHITELIST": ["dreamforge_site.api.parsers.StrictJSONParser"],
    "POSTPROCESSING_HOOKS": ["dreamforge_site.api.schema.complete"],
}

# Background work: the database holds the queue, Celery rings the bell (docs/adr)
_broker = broker.parse(
    _revealed(ENVIRONMENT.broker_url) or None,
    ENVIRONMENT.data_dir,
)
CELERY_BROKER_URL = _broker.url
CELERY_BROKER_TRANSPORT_OPTIONS = _broker.options
CELERY_BROKER_CONNECTION_TIMEOUT = broker.CONNECT_TIMEOUT_S
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker outlives any outage of its broker
CELERY_TASK_PUBLISH_RETRY_POLICY = broker.publish_policy()
CELERY_TASK_QUEUES = queues.DECLARED
CELERY_TASK_DEFAULT_QUEUE = queues.IO
CELERY_TASK_DEFAULT_EXCHANGE = queues.IO
CELERY_TASK_DEFAULT_ROUTING_KEY = queues.IO
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ROUTES = queues.ROUTES
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = False  # the job's lease, not the message, says who works on it
CELERY_TASK_TRACK_STARTED = False
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_RESULT_EXPIRES = timedelta(days=1)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "upkeep": {
        "task": "jobs.upkeep",
        "schedule": timedelta(minutes=10),
        "options": {"expires": 600},
    },
    "housekeeping": {
        "task": "dreamforge.housekeeping",
        "schedule": timedelta(hours=1),
        "options": {"expires": 3600},
    },
}
# With 0 tracked branches are never looked at by themselves.
if ENVIRONMENT.hub_watch_hours:
    CELERY_BEAT_SCHEDULE["hub-watch"] = {
        "task": "downloader.watch",
        "schedule": timedelta(hours=ENVIRONMENT.hub_watch_hours),
        "options": {"expires": 3600},
    }
# Dotted paths of functions without arguments that remove what has expired.
HOUSEKEEPING = [
    "dreamforge_site.tasks.clear_sessions",
    "dreamforge_site.accounts.upkeep.purge",
    "downloader.upkeep.collect",
    "downloader.hub.scrubbing.start",
]

# Likewise, run once by each io worker that starts, beside its work.
AT_START = ["registry.checks.at_start"]

# Models. A token goes into no other setting, so that it can be found in one place.
MODELS_ROOT = ENVIRONMENT.models_dir
DOWNLOAD_CONCURRENCY = ENVIRONMENT.download_concurrency
DOWNLOAD_MAX_RATE = ENVIRONMENT.download_max_rate
DOWNLOAD_ALLOW_PICKLE = ENVIRONMENT.download_allow_pickle
SCRUB_RATE = ENVIRONMENT.scrub_rate
DOWNLOAD_SOURCES = ENVIRONMENT.download_sources
# What each source is told, by its scheme.
DOWNLOAD_SOURCE_SETTINGS: dict[str, dict[str, str]] = {
    "hf": {"endpoint": ENVIRONMENT.hf_endpoint, "token": _revealed(ENVIRONMENT.hf_token)},
    "civitai": {
        "endpoint": ENVIRONMENT.civitai_endpoint,
        "token": _revealed(ENVIRONMENT.civitai_token),
    },
    "file": {"roots": ",".join(ENVIRONMENT.download_file_roots)},
}

# Keys of other installations whose bundles are taken (`manage.py hub_import --trust`).
TRUSTED_BUNDLE_KEYS = ENVIRONMENT.data_dir / "trusted-bundle-keys.json"
# Whether `/hf/` fetches what is missing, and what a front server calls the models folder.
HUB_PULL_THROUGH = ENVIRONMENT.hub_pull_through
SENDFILE_PREFIX = ENVIRONMENT.sendfile_prefix

# Images
VERSION = __version__
RUN_DIR = ENVIRONMENT.run_dir
RUNNER = ENVIRONMENT.runner
RUNNER_KEEP_ALIVE_S = ENVIRONMENT.runner_keep_alive_s
GPU_DEVICES = ENVIRONMENT.gpu_devices
BATCH_PARALLEL = ENVIRONMENT.batch_parallel
ITEM_TIMEOUT_S = ENVIRONMENT.item_timeout_s
MODEL_LOAD_TIMEOUT_S = 900
PRESIGN_TTL_S = ENVIRONMENT.presign_ttl_s
# Who signs links to images: this service, or the storage they lie in.
STORAGE_LINKS = "storage" if ENVIRONMENT.storage == "s3" else "app"
# Which models a slot of a worker has in memory: jobs for them go there first.
JOB_WARMTH = {"gpu": "jobs.generation.keepers.warm"}
# What is known of the devices that a worker's slots use.
JOB_DEVICES = {"gpu": "jobs.generation.keepers.device_facts"}
# A link to an image that a model has drawn, for its page.
MODEL_PREVIEW = "jobs.generation.gallery.preview"
# Who draws, by the name a request gives.
GENERATION_PROVIDERS = ["local-sdxl-epicrealism"]

# The job engine. A job type is a dotted path, so that `jobs` imports no other app.
JOB_TYPES = [
    "jobs.selftest.KIND",
    "jobs.generation.kind.KIND",
    "downloader.kinds.DOWNLOAD",
    "downloader.kinds.VERIFY",
    "downloader.kinds.SYNC",
    "downloader.kinds.MIRROR",
    "downloader.kinds.INSTALL",
    "downloader.kinds.SCAN",
    "downloader.kinds.HUB_VERIFY",
    "downloader.kinds.SCRUB",
    "downloader.kinds.WATCH",
    "downloader.kinds.UPDATE",
]
JOB_TIMEOUT_S = ENVIRONMENT.job_timeout_s
# A worker that shows no sign of life for so long has lost its jobs; others start them again.
JOB_LEASE_S = 15.0
JOB_MAX_ATTEMPTS = ENVIRONMENT.job_max_attempts
JOB_MAX_QUEUED_PER_USER = ENVIRONMENT.job_max_queued
IDEMPOTENCY_TTL_S = ENVIRONMENT.idempotency_ttl_s
RETENTION_JOBS_DAYS = ENVIRONMENT.retention_jobs_days
RETENTION_JOBS_COUNT = ENVIRONMENT.retention_jobs_count
RETENTION_ARTIFACTS_DAYS = ENVIRONMENT.retention_artifacts_days
RETENTION_ARTIFACTS_COUNT = ENVIRONMENT.retention_artifacts_count
RETENTION_EVENTS_DAYS = ENVIRONMENT.retention_events_days
RETENTION_WEBHOOKS_DAYS = ENVIRONMENT.retention_webhooks_days
WEBHOOK_ALLOWED_NETWORKS = ENVIRONMENT.webhook_networks
# Addresses whose plain POSTs are served together (front/express.py), and by what.
EXPRESS = {"/v1/jobs": "jobs.api.express.create"}
# Addresses whose bodies may be larger than 1 MiB (front/bodies.py), in bytes.
BODY_LIMITS = {"/v1/artifacts:verify": 67_108_864}
# Below these addresses errors are told as the clients of another API expect them.
ERROR_DIALECTS = {
    "/openai": "jobs.generation.openai.errors.translated",
    "/hf": "downloader.hub.serving.refusals.translated",
}
# How long images are waited for there. That API's own clients give up after 600 s.
OPENAI_WAIT_S = 540
# What a view may hand to a coroutine of the web's front.
HANDOFFS = {
    "stream": "jobs.watching.streams.serve",
    "wait": "jobs.watching.waits.serve",
    "file": "dreamforge_site.front.files.serve",
    "pull": "dreamforge_site.front.pulls.serve",
}

# Files
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "dreamforge_site" / "portal" / "static"]
_collected = "collectstatic" in sys.argv or (STATIC_ROOT / "staticfiles.json").exists()
# Images collect at build time; a checkout serves straight from the packages.
WHITENOISE_USE_FINDERS = not _collected
if not _collected:
    with contextlib.suppress(OSError):  # WhiteNoise warns of a missing folder at every start
        STATIC_ROOT.mkdir(exist_ok=True)
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
    from botocore.config import Config

    STORAGES["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": ENVIRONMENT.s3_bucket,
            "endpoint_url": ENVIRONMENT.s3_endpoint,
            "region_name": ENVIRONMENT.s3_region,
            "access_key": _revealed(ENVIRONMENT.s3_access_key) or None,
            "secret_key": _revealed(ENVIRONMENT.s3_secret_key) or None,
            "addressing_style": "path" if ENVIRONMENT.s3_endpoint else "auto",
            "signature_version": "s3v4",
            "default_acl": None,
            "file_overwrite": True,
            "querystring_auth": True,
            # A storage that hangs or is away is told of soon: who stores tries again, and can be
            # canceled between two tries.
            "client_config": Config(
                s3={"addressing_style": "path" if ENVIRONMENT.s3_endpoint else "auto"},
                signature_version="s3v4",
                connect_timeout=5,
                read_timeout=30,
                retries={"total_max_attempts": 2, "mode": "standard"},
            ),
        },
    }
    # The same files as clients reach them: links are signed for this address.
    STORAGES["links"] = {
        **STORAGES["default"],
        "OPTIONS": {
            **STORAGES["default"]["OPTIONS"],
            "endpoint_url": ENVIRONMENT.s3_public_endpoint or ENVIRONMENT.s3_endpoint,
        },
    }

# Language and time
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

LOGGING_CONFIG = None
logs.configure(ENVIRONMENT, secrets=[SECRET_KEY])

# Dotted paths of functions that return metric families, asked at each scrape of /metrics.
METRIC_COLLECTORS = [
    *(
        f"dreamforge_site.operations.collectors.{name}"
        for name in ("build", "ready", "storage", "database", "processes")
    ),
    "registry.metrics.collect",
    "jobs.metrics.collect",
    "downloader.metrics.collect",
]

UNFOLD = theme.UNFOLD
