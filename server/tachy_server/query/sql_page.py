"""docs/sql.md, from the declarations of views and functions: `python -m tachy_server.query.sql_page` prints it."""

from __future__ import annotations

import sys
from typing import Final

from tachy_server.query import denials, distinct_counts, histograms, table_functions
from tachy_server.query.administration import ADMINISTRATION, SCALARS
from tachy_server.query.functions import FUNCTIONS
from tachy_server.query.table_functions import TABLE_FUNCTIONS
from tachy_server.views import declarations

_HEAD: Final = """\
# SQL

`tachy query`, FlightSQL on port 50051 and `POST /api/query` answer SQL over the views below. The dialect is
DataFusion's; names and types are those of Micromegas, so its clients and queries work here. Columns marked + are ours.
Queries only read; a few [statements](#statements) do more.

```sql
SELECT name, count(*) AS calls, sum(duration) / 1e6 AS ms
FROM thread_spans
WHERE process_id = '…' AND "begin" >= now() - interval '1 minute'
GROUP BY name ORDER BY ms DESC LIMIT 20
```

Types: T is Timestamp(ns, UTC); D is Dictionary(Int32, Utf8), which clients get as plain text unless they ask for
dictionaries, inside lists, structs and maps too; P is D that holds a JSON object, to be read with the jsonb functions
and with `property_get(properties, 'name')`, which may be written `properties['name']` or `properties ->> 'name'`. The
first takes a column of properties by its own name, or a function that gives JSON; the second any text that is JSON.
Both bind more tightly than every other operator.

## Ranges
A client may send a range with its query (`begin`, `end`; both inclusive). It is a filter on each view's time: a log,
measure or event is in range if its time lies in it, a span if it overlaps it (`begin <= e AND end >= b`).

The query's own `WHERE` prunes just as well, and the tighter bound wins: `=`, `IN`, `<`, `<=`, `>`, `>=` and `BETWEEN`
on a view's time columns, `process_id`, `stream_id` and `block_id`, joined with `AND`, decide which blocks are read at
all (`OR` prunes only where both sides bound). A query on a lazy view that needs more blocks than the setting
`lazy_block_limit` is refused.

New events are visible as soon as the server has acknowledged them. A block that cannot be read (damaged, or
lost by the object store) costs only its own events: queries and traces leave it out, and it is a row of
[`block_errors`](#block_errors). An object store that does not answer fails the query.

## Views
"""

_MEANINGS: Final = """
## Materialized views
`log_stats`, `measure_stats` and `span_stats` are sums of all processes' events by the minute, for charts over days that
no query could make from events. Their rows lie in Parquet files as soon as the time of `rewrite_seconds` is over in
which their events came; what came since is summed when somebody asks, so the views are complete at every moment. What
comes late is added. A block that cannot be read is in none of them, and added once it can be. What was added stays when
events are dropped at the end of their lives, and none are while a view cannot be filled. A query that needs a file
which the object store has lost or damaged fails and says so; maintenance makes the view's files of that day again.

```sql
SELECT name, sum(count) AS calls, sum(total) / 1e9 AS seconds,
    approx_percentile_cont_with_weight(count, 0.99) WITHIN GROUP (ORDER BY total / nullif(count, 0)) / 1e6 AS p99_ms
FROM span_stats WHERE time_bin >= now() - interval '1 day'
GROUP BY name ORDER BY seconds DESC LIMIT 20
```

More are made with a [statement](#statements), and filled from all that the lake has, the oldest first:

```
CREATE MATERIALIZED VIEW hitches AS
SELECT date_bin(INTERVAL '1 hour', time) AS hour, process_id, exe, count(*) AS hitches, max(value) AS longest
FROM measures WHERE name = 'frame' AND value > 0.05
GROUP BY 1, 2, 3
```

It selects from one of `log_entries`, `measures`, `thread_spans` (those that have ended), `span_times` and
`async_events`, with `WHERE` and `GROUP BY`, and its results have to add up, since it is run over many parts of the
lake, each by itself. Groups and the aggregates `count`, `sum`, `min`, `max`, `bool_and`, `bool_or`, `bit_and`, `bit_or`
and those of histograms and of distinct counts (`make_hll`) do so; for others say how, with a query over `source`, which
has the results of all parts:

```
CREATE MATERIALIZED VIEW last_values WITH (
    merge = 'SELECT process_id, name, max(time) AS time, last_value(value ORDER BY time) AS value
             FROM source GROUP BY process_id, name')
AS SELECT process_id, name, max(time) AS time, last_value(value ORDER BY time) AS value
FROM measures GROUP BY process_id, name
```

Numbers of different values do not add up, but sketches of them do (HyperLogLog; 4 bytes for each value, 16 KB at
most). With `make_hll(username) AS users` in a view, its rows of a week answer

```
SELECT hll_cardinality(merge_hll(users)) FROM users_by_hour WHERE hour >= now() - interval '7 days'
```

A range applies to its column that is a time in nanoseconds; where there are several, `WITH (time = 'hour')` says which.
The rows of a file are sorted by that and then by texts, or as `WITH (sort = 'name, hour')` says. A view that is grouped
by its source's time, or by `date_bin` of it, is asked for less: rows of times that one file alone has are not merged
again. A key that is limited to some processes sees the rows of views that have `process_id`, and no others.

## How processes end
`processes.end_state` is one of

| end_state | |
|---|---|
| `running` | It said so in its batches, and has been heard of within the setting `lost_after`. |
| `lost` | The same, but it has been silent for longer. The next batch makes it `running` again, or what that says. |
| `exited` | It stopped its recorder, or was asked to end (SIGTERM, SIGINT, SIGHUP). |
| `crashed` | It ended without that, and its last events were recovered from what it had left on disk. Of what, its \
property `crash-kind` says, where the program has told the recorder: `fault`, `assert`, `memory`, `gpu`, `hang`. |

`exited` and `crashed` are final, the first that arrives: batches come late and in any order, and a recovered process's
older ones say `running`. Events of all of them stay as they are.

## Values on spans
`properties` of spans are the values that the program gave them: numbers, true and false, and texts. What JSON has no
number for is `"NaN"`, `"Infinity"` or `"-Infinity"`. `flow` has the number of the span's flow, or an array of several.

```sql
SELECT name, duration, jsonb_as_f64(jsonb_get(properties, 'triangles')) AS triangles
FROM thread_spans WHERE properties['mesh'] = 'tree' ORDER BY duration DESC LIMIT 10
```

A row for each value:

```sql
SELECT name, entry['key'] AS key, count(*) AS spans, avg(jsonb_as_f64(entry['value'])) AS mean
FROM (SELECT name, unnest(jsonb_entries(properties)) AS entry FROM thread_spans) GROUP BY name, key
```

## What recorders measure of themselves
Rows of `measures` that the recorder writes among the program's:

| name | unit | value |
|---|---|---|
| `tachy.dropped_events` | events | Those of its property `class` (`log`, `metric`, `span`) lost since the row before. |

```sql
SELECT p.exe, m.process_id, property_get(m.properties, 'class') AS class, sum(m.value) AS lost
FROM processes AS p JOIN measures AS m ON m.process_id = p.process_id
WHERE m.name = 'tachy.dropped_events' AND m.time >= now() - interval '1 hour'
GROUP BY 1, 2, 3 ORDER BY lost DESC
```

Joins with `processes`, `streams`, `blocks` or `block_errors` may be written either way: those rows are read first and
held in memory, up to 64 MB of them, and of the events only blocks are decoded whose `process_id`, `stream_id` or
`block_id` they have left. The same goes for another view's events, where the blocks that are asked for hold a million
of them at most. In a join of more with more the smaller side comes first: DataFusion holds the left one in memory, and
nothing tells it the sizes. `x IN (SELECT …)` with up to 500 texts is asked as if they stood there. All that a query
reads is what was there when it began.

JSON is RFC 8259: what is none gives null, and of members with one name the last one counts.

"""

_ADMINISTRATION: Final = """\
## Administration
The functions by which Micromegas looks after its partitions, for its client and its command `micromegas-views`. A
partition is here what a [materialized view](#materialized-views) has of a day, by the time at which the events came;
its only instance is `'global'`. Those for admin change something, or show what others have said: they need a key with
that scope. They act when a query is run and not when it is planned, and do nothing more where they are run again.
"""

_DENIALS: Final = f"""
A rule refuses queries, charts and traces (HTTP 403, PERMISSION_DENIED) with its reason, and `query_log` has them as
`denied`. Its condition is over texts: {", ".join(f"`{name}`" for name in denials.COLUMNS)}.
The first is the key's name, `client` what the client says it is (`x-client-type`, or its user agent); `agent`,
`entrypoint` and `session` is what Micromegas's client says of itself, `sql` the statement, or `trace`. NULL, where
nothing is known, is not true. Queries of an admin that name one of the functions about rules are never refused. There
are {denials.MAX_RULES} rules at most, and while there is one each query waits 2 ms for them.

```sql
SELECT msg FROM deny_queries('client = ''grafana'' AND sql LIKE ''%thread_spans%''', 'use span_stats in dashboards')
```
"""

_TAIL: Final = """
Everything else is DataFusion's own. `SHOW TABLES`, `DESCRIBE` and `information_schema` list the views.

## Statements
They go where queries go, over HTTP, FlightSQL and `tachy query`, and answer rows. `SHOW` needs a key for `query`, the
others one for `admin`. Preparing or planning one changes nothing; running it does, once: if its process ends meanwhile
the server does not begin it again but says so, and `SHOW` tells whether it was done. A client's range and limit do not
apply, and there are no parameters.

| statement | what it does |
|---|---|
| `CREATE KEEP RULE name FOR '90 days' AS SELECT …` | What the query names outlives its class. `day`, `week`, `year`, \
from the day the events came; answers name and status. |
| `CREATE KEEP RULE name FOR '90 days' DRY RUN AS SELECT …` | What that would keep of what is there now: process_id, \
begin, end, blocks, bytes, monthly_cost (dollars). |
| `DROP KEEP RULE name` | It names nothing more; answers name and status. |
| `SHOW KEEP RULES` | name, days, sql, created, created_by. A key that is limited to some processes sees none. |
| `CREATE [OR REPLACE] MATERIALIZED VIEW name [WITH (time = '…', merge = '…', sort = '…')] AS SELECT …` | A \
[materialized view](#materialized-views), which maintenance fills; answers name and status. |
| `DROP MATERIALIZED VIEW [IF EXISTS] name` | It is gone at once, its files when readers of them are; answers name and \
status. |
| `SHOW MATERIALIZED VIEWS` | name, files, rows and bytes in them, covered (the share of the lake's segments that are \
in them), uncovered_since (when the first came that is not), definition. \
A key that is limited to some processes sees none. |

The query of a rule gives `process_id` and, for less than a whole process, `"begin"` and `"end"` (timestamps, inclusive;
null: no bound). It is asked every hour, and before anything is dropped, over the times of what came since it was asked
last, as if a client had sent them as its range: it sees single events and processes, and no more than that of them, so
a count over a day is none. When a class's life is over (`keep_logs`, `keep_metrics`, `keep_spans`), the blocks of it
that overlap what the rule has named stay, for its days after the day on which they came, and all views show them.
Blocks are kept whole, so some of what surrounds a range is. A rule that fails (a column that is gone, `query_seconds`,
`lazy_block_limit`) keeps everything: nothing is dropped until it has an answer or is dropped itself, and the server's
log says so. What is kept already stays for its days when the rule is dropped.

## Caveats
- `parent` and `id` of a span are numbers in its stream: join on `stream_id` too.
- A span without an end is a row only while the newest block of its process has it on its stack (`is_open`); its
  `duration` is then the time until that block's end.
- NaN is greater than every number.
- `end` is a keyword: write `"end"`.
"""


def page() -> str:
    """docs/sql.md."""
    lines = [_HEAD, declarations.tables() + _MEANINGS + "## Functions", "", "| function | what it gives |", "|---|---|"]
    lines += [f"| `{function.signature}` | {function.doc} |" for function in FUNCTIONS]
    lines += [
        f"| `{signature}` | {doc} |" for signature, doc in histograms.DOCS + distinct_counts.DOCS + table_functions.DOCS
    ]
    lines += ["", "## Table functions", "", "| function | rows |", "|---|---|"]
    lines += [f"| `{function.signature}` | {function.doc} |" for function in TABLE_FUNCTIONS]
    lines += ["", _ADMINISTRATION, "| function | rows |", "|---|---|"]
    lines += [f"| `{function.signature}` | {function.doc} |" for function in ADMINISTRATION]
    lines += [f"| `{signature}` | {doc} |" for signature, doc in SCALARS]
    return "\n".join(lines) + "\n" + _DENIALS + _TAIL


if __name__ == "__main__":
    sys.stdout.write(page())
