"""Make the bucket for artifacts if it is not there: `python -m deploy.create_bucket`."""

from __future__ import annotations

import os
import sys
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dreamforge_site.environment import Environment, EnvironmentProblems, read

# Whoever came first made it, or it was there.
ALREADY_THERE = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
QUICK = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 5})


def main() -> None:
    try:
        environment = read(os.environ)
        if environment.storage != "s3":
            sys.exit("DF_STORAGE: got 'filesystem', takes s3 to have a bucket")
        sys.stdout.write(f"{_create(environment)}\n")
    except EnvironmentProblems as problems:
        sys.exit(str(problems))
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"The bucket could not be made: {error}")


def _create(environment: Environment) -> str:
    name = environment.s3_bucket
    client = _client(environment)
    try:
        client.head_bucket(Bucket=name)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
    else:
        return f"Bucket {name} is there."
    try:
        client.create_bucket(Bucket=name, **_location(environment))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ALREADY_THERE:
            raise
    return f"Bucket {name} is ready."


def _location(environment: Environment) -> dict[str, Any]:
    """S3 wants the region named, except for the one it calls its default."""
    if environment.s3_endpoint or environment.s3_region == "us-east-1":
        return {}
    return {"CreateBucketConfiguration": {"LocationConstraint": environment.s3_region}}


def _client(environment: Environment) -> Any:
    access, secret = environment.s3_access_key, environment.s3_secret_key
    return boto3.client(
        "s3",
        endpoint_url=environment.s3_endpoint,
        region_name=environment.s3_region,
        aws_access_key_id=access.get_secret_value() if access else None,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=QUICK,
    )


if __name__ == "__main__":
    main()
