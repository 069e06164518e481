"""Serving it back: `/hf/…` speaks Hugging Face's protocol over what is mirrored here.

A client with `HF_ENDPOINT=http://host/hf` works as with the hub itself, the upstream unplugged:
`addresses` and `conditions` read a request, `holdings` finds what is here, `descriptions` and
`refusals` say it in the hub's words, `delivery` lets the front send the bytes, and `pulling`, where
the operator allows it, fetches what is missing first.
"""
