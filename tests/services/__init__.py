"""Real servers for the tests, each in a folder of its own on a free port, gone with the run."""
