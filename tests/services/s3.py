"""An S3 server that checks signatures and their expiry: rclone over a folder."""

from __future__ import annotations

import contextlib
import http.client
import secrets
import sys
from pathlib import Path
from typing import Any

import boto3

from tests.services.process import ServerProcess

ASKING_TIMEOUT_S = 1


class S3Server(ServerProcess):
    name = "s3"

    def __init__(self) -> None:
        super().__init__()
        self.access_key = f"key{secrets.token_hex(8)}"
        self.secret_key = secrets.token_hex(16)
        self._buckets = self.folder / "buckets"
        self._buckets.mkdir()
        self._made: set[str] = set()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [
            str(Path(sys.executable).with_name("rclone")),
            *("serve", "s3", str(self._buckets)),
            *("--addr", f"127.0.0.1:{self.port}"),
            *("--auth-key", f"{self.access_key},{self.secret_key}"),
            *("--config", ""),
            *("--cache-dir", str(self.folder / "cache")),
        ]

    def answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ASKING_TIMEOUT_S)
        try:
            connection.request("GET", "/")
            connection.getresponse()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    def settings(self, bucket: str) -> dict[str, str]:
        """The DF_ variables that store artifacts in `bucket`, which is made if need be."""
        if bucket not in self._made:
            with contextlib.closing(self._client()) as client:
                client.create_bucket(Bucket=bucket)
            self._made.add(bucket)
        return {
            "DF_STORAGE": "s3",
            "DF_S3_ENDPOINT": self.endpoint,
            "DF_S3_ACCESS_KEY": self.access_key,
            "DF_S3_SECRET_KEY": self.secret_key,
            "DF_S3_BUCKET": bucket,
        }

    def _client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )
