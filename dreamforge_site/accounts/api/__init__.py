"""`/v1/auth/…`: signing in and one's own API keys."""
