#!/usr/bin/env python
"""The command line of Dream Forge: `python manage.py help` lists what it can do."""

import os
import sys

INTERRUPTED = 130


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dreamforge_site.settings")
    from django.core.management import execute_from_command_line
    from django.db import Error as DatabaseFault

    from dreamforge_site import databases
    from dreamforge_site.environment import EnvironmentProblems

    try:
        execute_from_command_line(sys.argv)
    except EnvironmentProblems as problems:
        sys.exit(str(problems))
    except DatabaseFault as fault:
        sys.exit(f"{sys.argv[1]}: {databases.complaint(fault)}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
