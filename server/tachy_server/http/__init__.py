"""The HTTP side: batches, queries, processes, controls, traces. Knows base, formats, lake,
ingest, query, traces, services.
"""
