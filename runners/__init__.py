"""The other program: image generation in a child process. Knows no Django and no network."""
