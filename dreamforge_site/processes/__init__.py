"""The processes of the service as they are started one by one: web, worker and scheduler."""
