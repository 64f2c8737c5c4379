"""A context that another query has had gives what a new one gives."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tachy_server.base.errors import TachyError
from tachy_server.base.settings import Settings
from tachy_server.query.contexts import Contexts
from tachy_server.query.engine import Query, QueryEngine

from tests.query.conftest import World, ids
from tests.query.fake_lake import FakeMetadata

STATEMENTS = (
    "SELECT 1 AS n",
    "SELECT $1 AS n",
    "SELECT count(*) AS n, min(time) AS t FROM log_entries",
    "SELECT name, count(*) AS n FROM thread_spans GROUP BY name ORDER BY name",
    "SELECT count(*) AS n FROM log_entries l JOIN processes p ON l.process_id = p.process_id",
    "SELECT name, calls FROM span_self_time('{process}', NULL, NULL) ORDER BY name",
    "SELECT value FROM jsonb_array_elements((SELECT '[1, 2]')) ORDER BY 1",
    "SELECT table_name FROM information_schema.tables ORDER BY 1",
    "SELECT nothing FROM log_entries",
    "SELECT process_id FROM view_instance('log_entries', 'nobody')",
    "SELECT a.msg FROM log_entries a CROSS JOIN log_entries b",
)
ASKED = st.tuples(
    st.sampled_from(STATEMENTS), st.sampled_from([None, 10_000]), st.sampled_from([None, 3]), st.booleans()
)


def plan(engine: QueryEngine, sql: str, end: int | None, limit: int | None) -> Query:
    return engine.plan(sql, end=end, limit=limit, parameters=[pa.scalar(7)] if "$1" in sql else None)


def outcome(query: Query) -> Any:
    return [batch.to_pydict() for batch in query.batches()]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(ASKED, min_size=2, max_size=8))
def test_queries_do_not_see_each_other(world: World, asked: list[tuple[str, int | None, int | None, bool]]) -> None:
    """One after the other, and while another has begun and does not go on."""
    begun = []
    for text, end, limit, stays in asked:
        sql = text.format(process=ids(world.processes)[0])
        answers = []
        for engine in (world.engine, QueryEngine(world.lake, Settings(), FakeMetadata(world.lake))):
            try:
                query = plan(engine, sql, end, limit)
                if stays and engine is world.engine:
                    other = plan(engine, sql, end, limit).batches()
                    next(other, None)
                    begun.append(other)
                answers.append((query.schema, outcome(query)))
            except TachyError as error:
                answers.append((type(error), str(error)))
        if "CROSS JOIN" not in sql:  # which rows come first is nobody's promise
            assert answers[0] == answers[1]


def test_a_query_that_fails_or_is_left_gives_its_context_to_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[object] = []
    monkeypatch.setattr(Contexts, "give_back", lambda contexts, taken: kept.append(taken))
    more_than_a_batch = "SELECT msg FROM log_entries CROSS JOIN generate_series(1, 20000)"
    outcome(world.engine.plan(more_than_a_batch, limit=1))
    next(world.engine.plan(more_than_a_batch).batches())
    with pytest.raises(TachyError):
        outcome(world.engine.plan("SELECT count(*) FROM view_instance('log_entries', '')"))
    with pytest.raises(TachyError):
        outcome(world.engine.plan("SELECT 1 / 0 FROM log_entries"))
    assert not kept
    outcome(world.engine.plan("SELECT 1"))
    assert len(kept) == 1
