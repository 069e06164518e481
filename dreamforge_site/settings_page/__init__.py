"""The admin's page about what this installation is set to, and by what."""
