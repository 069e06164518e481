"""The least that could do the same: FastAPI and psycopg, or sqlite3, without any framework of data.

It checks a key by its hash, keeps an idempotency key, and writes a job, its step and its event in
one transaction: what our POST writes, by hand, and nothing else. Run by uvicorn in two processes.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Response
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, ConfigDict, Field

ADDRESS = os.environ.get("DREAMFORGE_BENCH_FLOOR", "")
TABLES = """
CREATE TABLE floor_key (hash text PRIMARY KEY, owner text NOT NULL);
CREATE TABLE floor_idempotency (owner text, key text, body text, answer text,
  PRIMARY KEY (owner, key));
CREATE TABLE floor_job (id text PRIMARY KEY, type text, owner text, params text, status text,
  created_at text, request_id text);
CREATE INDEX floor_job_claim ON floor_job (status, created_at);
CREATE INDEX floor_job_owner ON floor_job (owner, created_at);
CREATE TABLE floor_step (id text PRIMARY KEY, job_id text, name text);
CREATE TABLE floor_event (job_id text, seq integer, ts text, code text, payload text,
  PRIMARY KEY (job_id, seq));
"""


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    type: str = Field(pattern="^selftest$")
    items: int = Field(1, ge=1, le=100)
    ticks: int = Field(4, ge=1, le=1000)
    tick_ms: int = Field(0, ge=0, le=60_000)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncConnectionPool(ADDRESS, min_size=1, max_size=8) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/jobs", status_code=202)
async def create(
    wanted: Wanted,
    response: Response,
    authorization: Annotated[str, Header()],
    idempotency_key: Annotated[str, Header()],
) -> dict[str, Any]:
    key_hash = hashlib.sha256(authorization.encode()).hexdigest()
    job_id, now = str(uuid.uuid4()), datetime.now(UTC).isoformat()
    answer = {"job": {"id": job_id, "status": "queued", "type": wanted.type, "created_at": now}}
    params = wanted.model_dump_json()
    async with app.state.pool.connection() as connection, connection.transaction():
        found = await connection.execute("SELECT owner FROM floor_key WHERE hash = %s", [key_hash])
        owner = await found.fetchone()
        if owner is None:
            raise HTTPException(401)
        taken = await connection.execute(
            "INSERT INTO floor_idempotency VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [owner[0], idempotency_key, params, json.dumps(answer)],
        )
        if taken.rowcount == 0:
            raise HTTPException(409)
        await connection.execute(
            "INSERT INTO floor_job VALUES (%s, %s, %s, %s, 'queued', %s, %s)",
            [job_id, wanted.type, owner[0], params, now, secrets.token_hex(16)],
        )
        await connection.execute(
            "INSERT INTO floor_step VALUES (%s, %s, 'run')", [str(uuid.uuid4()), job_id]
        )
        await connection.execute(
            "INSERT INTO floor_event VALUES (%s, 1, %s, 'job.queued', '{}')", [job_id, now]
        )
    response.headers["Location"] = f"/v1/jobs/{job_id}"
    return answer
