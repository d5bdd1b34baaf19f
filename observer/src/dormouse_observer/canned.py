"""Which questions does `dormouse sql` know by name? Their SQL, over the engine's tables. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Canned:
    """A query that has a name; `told` says what it finds."""

    name: str
    told: str
    sql: str


def _moment(microseconds: str) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%SZ', {microseconds} / 1000000, 'unixepoch')"


_STUCK = f"""
SELECT id, workflow, status, last.kind AS last_event, {_moment("last.at")} AS since,
    CASE WHEN execution.key IN (SELECT execution FROM dormouse_paused) THEN 'yes' END AS paused,
    CASE WHEN last.kind = 'AttemptFailed' THEN json_extract(payload(last.position), '$.message') END AS last_error
FROM execution JOIN (SELECT execution, max(position) AS position, kind, at FROM event GROUP BY execution) AS last
    ON last.execution = execution.key
WHERE closed_at IS NULL
    AND (execution.key IN (SELECT execution FROM dormouse_paused) OR status = 'Blocked' OR last.kind = 'AttemptFailed'
         OR EXISTS (SELECT 1 FROM dormouse_approval AS asked WHERE asked.execution = execution.key)
         OR NOT EXISTS (SELECT 1 FROM timer WHERE timer.execution = execution.key))
    AND NOT EXISTS (SELECT 1 FROM execution AS child WHERE child.parent = execution.key AND child.closed_at IS NULL)
ORDER BY last.at
"""  # noqa: S608 - names of our own, as below
_RETRY_STORMS = f"""
SELECT id, workflow, asked.name AS activity, failed.attempts, {_moment("failed.first")} AS first,
    {_moment("failed.last")} AS last, json_extract(payload(failed.position), '$.message') AS last_error
FROM (
    SELECT execution, command, count(*) AS attempts, max(position) AS position, min(at) AS first, max(at) AS last
    FROM event WHERE kind = 'AttemptFailed' GROUP BY execution, command HAVING count(*) > 2
) AS failed
JOIN event AS asked ON asked.execution = failed.execution AND asked.command = failed.command
    AND asked.kind = 'ActivityScheduled'
JOIN execution ON execution.key = failed.execution
ORDER BY failed.attempts DESC, id
"""  # noqa: S608
_SLOWEST_STEPS = f"""
SELECT id, workflow, asked.name AS activity, (done.at - asked.at) / 1000 AS milliseconds,
    done.kind AS ended, {_moment("asked.at")} AS began
FROM event AS asked JOIN event AS done ON done.execution = asked.execution AND done.command = asked.command
JOIN execution ON execution.key = asked.execution
WHERE asked.kind = 'ActivityScheduled' AND done.kind IN ('ActivityCompleted', 'ActivityFailed', 'ActivityCancelled')
    AND NOT forked_between(asked.at, done.at)
ORDER BY done.at - asked.at DESC, asked.position LIMIT 10
"""  # noqa: S608
_AGENT_COST = """
WITH told AS MATERIALIZED (
    SELECT execution AS key, usage(position) AS used FROM event WHERE kind = 'ActivityCompleted'
)
SELECT id, workflow, json_extract(used, '$.model') AS model, count(*) AS calls,
    sum(json_extract(used, '$.input')) AS input_tokens, sum(json_extract(used, '$.output')) AS output_tokens,
    round(sum(json_extract(used, '$.cost')), 6) AS cost,
    count(*) - count(json_extract(used, '$.cost')) AS without_price
FROM told JOIN execution USING (key) WHERE used IS NOT NULL
GROUP BY id, workflow, model ORDER BY cost DESC, input_tokens DESC
"""
CANNED = {
    one.name: one
    for one in (
        Canned("stuck", "open executions that are paused, wait for somebody or fail again, and since when", _STUCK),
        Canned("retry_storms", "calls of activities that have failed more than twice, and why", _RETRY_STORMS),
        Canned("slowest_steps", "the ten activities of each file that took longest, retries included", _SLOWEST_STEPS),
        Canned("agent_cost", "what each execution's calls of models used: tokens, and dollars", _AGENT_COST),
    )
}
