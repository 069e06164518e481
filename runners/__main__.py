"""The child: `python -m runners --engine NAME --device DEVICE --fd N --parent PID`."""

from __future__ import annotations

from runners.child.main import main

if __name__ == "__main__":
    main()
