"""How the running service is watched: request ids, logs, health, readiness, metrics, traces."""
