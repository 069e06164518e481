"""`/openai/v1/…`: drawing for clients that speak the OpenAI images API, in its shapes and errors.

What they ask for becomes an ordinary `generate` job of the caller; the answer waits for its end.
"""
