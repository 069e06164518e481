"""Every environment variable Dream Forge reads, parsed once into one frozen value.

The table in `variables` is the only place that names a variable: `settings.py` reads the parsed
value, the documentation is generated from it (`make config-docs`), and a name it does not know
stops the start. A variable that holds a secret can also be given as `<NAME>_FILE`, the path of a
file that holds it.
"""

from dreamforge_site.environment.reading import (
    DOTENV,
    EnvironmentProblems,
    is_loopback,
    known_names,
    read,
)
from dreamforge_site.environment.variables import (
    BASE_DIR,
    PREFIX,
    Environment,
    group,
    is_secret,
    takes,
    variable_names,
)

__all__ = [
    "BASE_DIR",
    "DOTENV",
    "PREFIX",
    "Environment",
    "EnvironmentProblems",
    "group",
    "is_loopback",
    "is_secret",
    "known_names",
    "read",
    "takes",
    "variable_names",
]
