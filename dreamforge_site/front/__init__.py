"""The one port: what asyncio answers by itself, and the bridge to Django for everything else.

Django's own ASGI handler costs a thread per open stream and three times the CPU of a plain request.
Here streams and probes are coroutines, and Django runs as WSGI in a small pool of threads.
"""
