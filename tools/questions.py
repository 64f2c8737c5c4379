"""What the demo asks in SQL: {ids} are the processes' ids, {main} is the one with the frames."""

from __future__ import annotations

COUNTS = """
SELECT (SELECT count(*) FROM log_entries WHERE process_id IN ({ids}))
     + (SELECT count(*) FROM measures WHERE process_id IN ({ids}))
     + (SELECT count(*) FROM async_events WHERE process_id IN ({ids}))
     + (SELECT count(*) FROM thread_spans WHERE process_id IN ({ids}) AND NOT is_open) AS events,
       (SELECT count(*) FROM thread_spans WHERE process_id IN ({ids})) AS spans
"""

WHERE_THE_TIME_GOES = """
SELECT name, count(*) AS calls, round(sum(duration) / 1e6, 1) AS total_ms,
       round(avg(duration) / 1e3, 2) AS avg_us, round(max(duration) / 1e3, 1) AS max_us
FROM thread_spans WHERE process_id IN ({ids}) GROUP BY name ORDER BY total_ms DESC LIMIT 8"""

OF_THE_DEMO = {
    "How long do frames take?": """
        SELECT exe, count(*) AS frames, round(avg(value) * 1e3, 2) AS avg_ms,
               round(approx_percentile_cont(value, 0.99) * 1e3, 2) AS p99_ms, round(max(value) * 1e3, 2) AS worst_ms
        FROM measures WHERE process_id IN ({ids}) AND unit = 'seconds' GROUP BY exe""",
    "Where does the time go?": WHERE_THE_TIME_GOES,
    "What ran in the worst frame?": """
        WITH worst AS (SELECT process_id, time, value FROM measures
                       WHERE process_id = '{main}' AND unit = 'seconds' ORDER BY value DESC LIMIT 1)
        SELECT s.thread_name, s.name, count(*) AS calls, round(sum(s.duration) / 1e3, 1) AS us
        FROM thread_spans s JOIN worst w ON s.process_id = w.process_id
        WHERE s.process_id = '{main}' AND s.end <= w.time
          AND s.begin >= w.time - arrow_cast(CAST(w.value * 1e9 AS BIGINT), 'Duration(Nanosecond)')
        GROUP BY s.thread_name, s.name ORDER BY us DESC LIMIT 8""",
    "What was logged, and how often?": """
        SELECT level, target, count(*) AS lines, max(msg) AS example
        FROM log_entries WHERE process_id IN ({ids}) GROUP BY level, target ORDER BY level, lines DESC LIMIT 8""",
    "What did the metrics say?": """
        SELECT name, unit, count(*) AS n, round(min(value), 3) AS min, round(avg(value), 3) AS avg,
               round(max(value), 3) AS max
        FROM measures WHERE process_id IN ({ids}) GROUP BY name, unit ORDER BY n DESC LIMIT 8""",
}

OF_UNREAL = {
    **OF_THE_DEMO,
    "How long do frames take?": """
        SELECT name, count(*) AS frames, round(avg(value) * 1e3, 2) AS avg_ms,
               round(approx_percentile_cont(value, 0.99) * 1e3, 2) AS p99_ms, round(max(value) * 1e3, 2) AS worst_ms
        FROM measures WHERE process_id IN ({ids}) AND target = 'Frame' AND unit = 'seconds' AND value > 0
        GROUP BY name ORDER BY avg_ms DESC""",
}

OF_DOOM = {
    "How long do frames take?": """
        SELECT count(*) AS frames, round(avg(duration) / 1e6, 2) AS avg_ms,
               round(approx_percentile_cont(duration, 0.99) / 1e6, 2) AS p99_ms,
               round(max(duration) / 1e6, 2) AS worst_ms
        FROM thread_spans WHERE process_id = '{main}' AND name = 'D_RunFrame'""",
    "Where does the time go?": WHERE_THE_TIME_GOES,
    "Which functions hitch?": """
        SELECT name, count(*) AS calls, round(avg(duration) / 1e3, 2) AS avg_us,
               round(max(duration) / 1e3, 1) AS max_us, round(max(duration) / avg(duration)) AS times_slower
        FROM thread_spans WHERE process_id = '{main}' GROUP BY name HAVING count(*) > 1000
        ORDER BY times_slower DESC LIMIT 8""",
    "What ran in the worst frame?": """
        WITH worst AS (SELECT stream_id, begin, "end" FROM thread_spans
                       WHERE process_id = '{main}' AND name = 'D_RunFrame' ORDER BY duration DESC LIMIT 1)
        SELECT s.name, count(*) AS calls, round(sum(s.duration) / 1e3, 1) AS us
        FROM thread_spans s JOIN worst w ON s.stream_id = w.stream_id
        WHERE s.process_id = '{main}' AND s.begin >= w.begin AND s.end <= w.end
        GROUP BY s.name ORDER BY us DESC LIMIT 8""",
    "How deep does it go?": """
        SELECT depth, count(*) AS spans, count(DISTINCT name) AS functions
        FROM thread_spans WHERE process_id = '{main}' GROUP BY depth ORDER BY depth DESC LIMIT 8""",
}

# The picture of a game with 23 million spans: a tenth of a second in the middle, with what SQL counts there.
MIDDLE = """
WITH frame AS (SELECT begin FROM thread_spans WHERE process_id = '{main}' AND name = 'D_RunFrame'
               ORDER BY begin OFFSET 800 LIMIT 1)
SELECT CAST(begin AS BIGINT) AS begin, CAST(begin AS BIGINT) + 100000000 AS "end" FROM frame"""
IN_RANGE = """
SELECT count(*) AS spans FROM thread_spans
WHERE process_id IN ({ids}) AND begin <= arrow_cast({end}, 'Timestamp(Nanosecond, Some("UTC"))')
  AND "end" >= arrow_cast({begin}, 'Timestamp(Nanosecond, Some("UTC"))')"""

# In the words of DataFusion and of DuckDB.
OF_ALL = """
SELECT name, CAST(sum(count) AS BIGINT) AS calls, round(CAST(sum(self) AS BIGINT) / 1e6, 1) AS self_ms,
       round(max(max) / 1e3, 1) AS slowest_us
FROM span_stats GROUP BY name ORDER BY self_ms DESC, name LIMIT 8"""

INTO_FILES = "SELECT msg FROM materialize_partitions('span_stats', '2020-01-01', '2200-01-01', 3600)"

HELD = """
SELECT class, sum(events) AS events, sum(bytes) AS bytes, round(sum(objects)) AS objects, sum(cost) AS dollars
FROM lake_usage GROUP BY class ORDER BY bytes DESC
"""
