"""Measurements that can be repeated: `make bench`, or `python -m benchmarks <name>` for one.

Each prints a Markdown table under the command that made it. They start real processes on databases
of their own and leave nothing behind.
"""
