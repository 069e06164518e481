"""The child's side: it reads requests, draws, and says how far it is."""
