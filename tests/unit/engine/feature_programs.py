"""Which program uses which feature? All of them, and the workflows that they need."""

from __future__ import annotations

import programs_of_asyncio
import programs_of_calls
import programs_of_ends
import programs_of_families
import programs_of_messages
from programs import Program

from dormouse import Workflow

MODULES = (programs_of_calls, programs_of_asyncio, programs_of_messages, programs_of_ends, programs_of_families)
PROGRAMS: dict[str, Program] = {name: program for module in MODULES for name, program in module.PROGRAMS.items()}
WORKFLOWS = list(dict.fromkeys(one for module in MODULES for one in vars(module).values() if isinstance(one, Workflow)))
