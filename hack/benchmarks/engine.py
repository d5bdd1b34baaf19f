"""How fast, how small and how safe is the engine, beside other engines and beside no engine at all?

docs/benchmarks.md says what each figure means, and with which settings each side runs.
"""

from __future__ import annotations

import sys

import engine_history
import engine_memory
import engine_replay
import engine_resume
import engine_steps
import rivals
from frame import run

FIGURES = {
    "steps_100_ratio": engine_steps.steps_100_ratio,
    "steps_1_ratio": engine_steps.steps_1_ratio,
    "steps_100_floor_ratio": engine_steps.steps_100_floor_ratio,
    "steps_lost_by_kill": engine_steps.steps_lost_by_kill,
    "wal_bytes_step": engine_steps.wal_bytes_step,
    "agent_history_ratio": engine_history.agent_history_ratio,
    "resume_ratio": engine_resume.resume_ratio,
    "replay_ratio": engine_replay.replay_ratio,
    "idle_rss_mib": engine_memory.idle_rss_mib,
    "sleeping_10k_rss_mib": engine_memory.sleeping_10k_rss_mib,
    "sleeping_10k_cpu_seconds": engine_memory.sleeping_10k_cpu_seconds,
    "replay_scale_ratio": engine_replay.replay_scale_ratio,
}
QUICK_SECONDS_OF = {
    "steps_100_ratio": 6.0,
    "steps_1_ratio": 6.0,
    "steps_100_floor_ratio": 5.0,
    "steps_lost_by_kill": 3.0,
    "wal_bytes_step": 3.0,
    "agent_history_ratio": 1.0,
    "resume_ratio": 9.0,
    "replay_ratio": 4.0,
    "idle_rss_mib": 3.0,
    "sleeping_10k_rss_mib": 7.0,
    "replay_scale_ratio": 20.0,
}
"""What takes long on two cores, with some room."""

if __name__ == "__main__":
    sys.exit(run("engine", FIGURES, sys.argv[1:], quick_seconds=QUICK_SECONDS_OF, more_versions=rivals.versions()))
