"""A supervisor over small programs, as a process: what the tests of the loop send signals to.

python -m tests.dreamforge_site.supervisor.driver '[["name", "shell script"], …]'
"""

from __future__ import annotations

import json
import os
import signal
import sys

from dreamforge_site.processes import ownership
from dreamforge_site.supervisor.children import Program
from dreamforge_site.supervisor.lines import Style
from dreamforge_site.supervisor.output import LineStream, Output
from dreamforge_site.supervisor.supervise import Supervisor


def main() -> int:
    scripts = json.loads(sys.argv[1])
    programs = [Program(name, ("/bin/sh", "-c", script)) for name, script in scripts]
    for number in map(int, sys.argv[2:]):
        if number:
            signal.signal(number, signal.SIG_IGN)  # as nohup does
    output = Output(1)
    style = Style(json=False, colour=False)
    sys.stdout = LineStream(lambda line: output.write(style.render("log", line)), terminal=False)
    ownership.adopt_orphans()
    supervisor = Supervisor(programs, os.environ, output, style)
    stopped_by = supervisor.run()
    output.flush()
    return stopped_by


if __name__ == "__main__":
    sys.exit(main())
