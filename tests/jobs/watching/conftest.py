from tests.jobs.watching.served import served

__all__ = ["served"]
