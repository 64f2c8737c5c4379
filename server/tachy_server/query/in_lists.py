"""`x IN (SELECT …)` as `x IN ('…', '…')`, once the subquery has been answered with a few texts.

DataFusion makes a join of it and compares row by row; of ids of processes it is known which blocks have them, and no
row is compared. Its bindings make no plans, so the statement's text is changed, and only where there can be no doubt
which part of the text the join is: there is one other SELECT, and one semi join.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.query.joins import MemoryTable
from tachy_server.query.plans import nodes, table_name, variant_of
from tachy_server.query.tokens import pairs, tokens

MOST: Final = 500
"""Values; planning takes time for each."""
_DOUBTFUL: Final = ("SEMI", "EXISTS", "VALUES", "TABLE")
"""What else may become a semi join, without a SELECT."""


def with_values(sql: str, plan: Any, tables: Mapping[str, MemoryTable]) -> str | None:
    """The statement with values in the place of its subquery; None where it is to be joined. `plan`: the statement's,
    optimized; `tables`: views that are in memory for it.
    """
    asked, part = _asked(plan), _subquery(sql)
    if asked is None or part is None or tables.keys() != {asked[0]} or not tables[asked[0]].exact:
        return None
    column = pa.Table.from_batches(tables[asked[0]].batches).column(asked[1])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    values = pc.unique(column).drop_null()
    if not pa.types.is_string(values.type) or not 0 < len(values) <= MOST:
        return None
    texts = [f"'{text}'" for text in pc.replace_substring(values, "'", "''").to_pylist()]
    return f"{sql[: part[0]]}({', '.join(texts)}){sql[part[1] :]}"


def _asked(plan: Any) -> tuple[str, str] | None:
    """The table and the column that the plan's only semi join is about."""
    joins = [(node, variant_of(node)) for node in nodes(plan)]
    semi = [(node, join) for node, join in joins if type(join).__name__ == "Join" and "Semi" in str(join.join_type())]
    if len(semi) != 1:
        return None
    node, join = semi[0]
    keys = join.on()
    if not str(join.join_type()).endswith("LeftSemi") or join.filter() is not None or len(keys) != 1:
        return None
    return _column(node.inputs()[1]) if keys[0][0].variant_name() == "Column" else None


def _column(node: Any) -> tuple[str, str] | None:
    """The only column of a node that a table has as it is, perhaps filtered; and the table."""
    variant, names = variant_of(node), None
    while type(variant).__name__ == "SubqueryAlias":
        node, variant = node.inputs()[0], variant_of(node.inputs()[0])
    if type(variant).__name__ == "Projection":
        entries = variant.projections()
        names = [entry.to_variant().name() for entry in entries if entry.variant_name() == "Column"]
        if len(names) != len(entries):
            return None
        node, variant = node.inputs()[0], variant_of(node.inputs()[0])
    if type(variant).__name__ == "Filter":
        variant = variant_of(node.inputs()[0])
    if type(variant).__name__ != "TableScan":
        return None
    names = [name for _, name in variant.projection()] if names is None else names
    return (table_name(variant), names[0]) if len(names) == 1 else None


def _subquery(sql: str) -> tuple[int, int] | None:
    """Where the only subquery stands, from its parenthesis to behind the other, if it is behind IN."""
    found = tokens(sql)
    words = Counter(token.text.upper() for token in found if token.kind == "word")
    if (words["SELECT"], words["FROM"]) != (2, 2) or any(words[word] for word in _DOUBTFUL):
        return None
    texts = [token.text.upper() if token.kind in ("word", "mark") else "" for token in found]
    for closed, opened in pairs(found).items():
        if texts[opened - 1 : opened + 2] == ["IN", "(", "SELECT"]:
            return found[opened].at, found[closed].end
    return None
