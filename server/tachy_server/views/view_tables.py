"""Which table a view is: metadata, blocks decoded as they are, or what is made of another view's rows."""

from __future__ import annotations

from typing import Final

from tachy_server.views import images, net_spans
from tachy_server.views.bounds import ALL, Bounds
from tachy_server.views.declarations import Kind, View
from tachy_server.views.derived import derived_table
from tachy_server.views.tables import Session, Table, event_table, metadata_table

_DERIVED: Final = {derivation.view.name: derivation for derivation in (net_spans.DERIVATION, images.DERIVATION)}


def view_table(session: Session, view: View, scope: Bounds = ALL, name: str | None = None) -> Table:
    """A view, or the part of it that `scope` says; `name`: of the table function that gives it.

    Metadata have no parts.
    """
    if view.kind is Kind.METADATA:
        return metadata_table(session, view, name)
    derivation = _DERIVED.get(view.name)
    if derivation is not None:
        return derived_table(session, derivation, scope, name)
    return event_table(session, view, scope, name)
