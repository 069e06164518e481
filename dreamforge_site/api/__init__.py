"""The plumbing every endpoint stands on: errors, strict input, pages, the OpenAPI document.

Apps never import it. They reach it through the REST framework's settings and by what their views
declare: `strictness.py` lists those attributes.
"""
