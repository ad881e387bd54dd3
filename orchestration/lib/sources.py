"""Names of sources. A source is a folder of the landing folder and the value of `source_id`."""

from __future__ import annotations

import re

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
ALLOWED = "1 to 64 letters, digits, dots, dashes or underscores"
