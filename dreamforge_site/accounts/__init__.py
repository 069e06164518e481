"""Users, groups, API keys and tokens: who may call, and what they may do."""
