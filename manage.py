#!/usr/bin/env python
"""The command line of Dream Forge: `python manage.py help` lists what it can do."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dreamforge_site.settings")
    from dreamforge_site.environment import EnvironmentProblems

    try:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except EnvironmentProblems as problems:
        sys.exit(str(problems))


if __name__ == "__main__":
    main()
