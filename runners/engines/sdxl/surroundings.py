"""What must hold before the libraries are imported: no network, no chatter."""

from __future__ import annotations

import os
import warnings

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}
# Of the libraries among themselves; nothing an operator could act on.
NOISE = ("diffusers", "transformers", "accelerate", "torch", "numpy")


def prepare() -> None:
    os.environ.update(OFFLINE)
    for name in NOISE:
        warnings.filterwarnings("ignore", module=name)


def silence() -> None:
    """After the import: nothing but failures on standard error."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for logging in (diffusers_logging, transformers_logging):
        logging.disable_progress_bar()
        logging.set_verbosity_error()
