"""How fast, how small and how safe is the engine, beside other engines and beside no engine at all?

docs/benchmarks.md says what each figure means, and with which settings each side runs.
"""

from __future__ import annotations

import sys
from functools import partial

import engine_docs
import engine_history
import engine_memory
import engine_replay
import engine_resume
import engine_steps
import engine_sync
import rivals
from frame import Figure, run

FIGURES = [  # what takes long stands last, where a quick run leaves it out
    Figure(
        "steps_100_ratio",
        "steps a second with 100 concurrent workflows, ours / DBOS",
        30,
        "higher",
        engine_steps.steps_100_ratio,
        quick_seconds=6,
        preparing=rivals.preparing("dbos"),
    ),
    Figure(
        "steps_1_ratio",
        "the same with one workflow",
        3,
        "higher",
        engine_steps.steps_1_ratio,
        quick_seconds=6,
        preparing=rivals.preparing("dbos"),
    ),
    Figure(
        "steps_100_floor_ratio",
        "ours / a bare loop that appends the same rows in the same commits with plain sqlite3",
        0.4,
        "higher",
        engine_steps.steps_100_floor_ratio,
        quick_seconds=5,
    ),
    Figure(
        "steps_lost_by_kill",
        "steps that a workflow went on from and that a SIGKILL took",
        0,
        "lower",
        engine_steps.steps_lost_by_kill,
        unit="steps",
        quick_seconds=3,
    ),
    Figure(
        "wal_bytes_step",
        "what the write-ahead log gets for a step, 100 concurrent workflows",
        6000,
        "lower",
        engine_steps.wal_bytes_step,
        unit="bytes",
        quick_seconds=3,
    ),
    Figure(
        "agent_history_ratio",
        "bytes on disk for an agent that sends its whole conversation 100 times / the conversation once",
        2,
        "lower",
        engine_history.agent_history_ratio,
        quick_seconds=1,
    ),
    Figure(
        "resume_ratio",
        "from the start of the process to the first resumed step with 1,000 open executions, ours / DBOS",
        0.1,
        "lower",
        engine_resume.resume_ratio,
        quick_seconds=9,
        preparing=rivals.preparing("dbos"),
    ),
    Figure(
        "replay_ratio",
        "replay of 10,000 events / reading and decoding the same rows with plain sqlite3 and msgspec",
        6,
        "lower",
        engine_replay.replay_ratio,
        quick_seconds=4,
    ),
    Figure(
        "idle_rss_mib",
        "resident memory of an idle runtime",
        35,
        "lower",
        engine_memory.idle_rss_mib,
        unit="MiB",
        quick_seconds=3,
    ),
    Figure(
        "sleeping_10k_rss_mib",
        "how much more with 10,000 sleeping executions",
        10,
        "lower",
        engine_memory.sleeping_10k_rss_mib,
        unit="MiB",
        quick_seconds=7,
    ),
    Figure(
        "sleeping_10k_cpu_seconds",
        "what those use of the processor in half a minute",
        0,
        "lower",
        engine_memory.sleeping_10k_cpu_seconds,
        unit="s",
        quick_seconds=1,
    ),
    Figure(
        "steps_100_restate_ratio",
        "steps a second with 100 concurrent workflows, ours / Restate",
        15,
        "higher",
        engine_steps.steps_100_restate_ratio,
        quick_seconds=14,
        preparing=rivals.preparing("restate", "restate-server"),
    ),
    Figure(
        "steps_100_temporal_ratio",
        "steps a second with 100 concurrent workflows, ours / Temporal's development server",
        300,
        "higher",
        engine_steps.steps_100_temporal_ratio,
        quick_seconds=18,
        preparing=rivals.preparing("temporal"),
    ),
    Figure(
        "sync_steps_100_ratio",
        "steps a second when each waits until it is in the store, 100 concurrent workflows, ours / DBOS",
        25,
        "higher",
        engine_sync.sync_steps_100_ratio,
        quick_seconds=20,
        preparing=rivals.preparing("dbos"),
    ),
    Figure(
        "replay_scale_ratio",
        "time an event in a replay of 100,000 / of 1,000",
        1.2,
        "lower",
        engine_replay.replay_scale_ratio,
        quick_seconds=20,
    ),
]

if __name__ == "__main__":
    write_docs = partial(engine_docs.write, FIGURES)
    sys.exit(run("engine", FIGURES, sys.argv[1:], more_versions=rivals.versions(), write_docs=write_docs))
