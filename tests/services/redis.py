"""A Redis server."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.services import found
from tests.services.process import ServerProcess

ASKING_TIMEOUT_S = 1
ONCE = Retry(NoBackoff(), 0)


class RedisServer(ServerProcess):
    name = "redis"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        program = found.program("usr/bin/redis-server")
        options = {"--bind": "127.0.0.1", "--port": str(self.port), "--dir": str(self.folder)}
        options |= {"--appendonly": "yes", "--save": "", "--loglevel": "warning"}
        return [str(program), *(part for option in options.items() for part in option)]

    def answers(self) -> bool:
        client = redis.Redis(port=self.port, socket_timeout=ASKING_TIMEOUT_S, retry=ONCE)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()
