"""What drawing costs: `python -m benchmarks.drawing`, and with `--full` on a GPU."""
