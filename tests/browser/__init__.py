"""The pages in a real Chromium, served by the real web server.

A page loads nothing from elsewhere, logs no error and misses no file: the `page` fixture checks.
"""
