"""The HTTP side: batches, queries, processes, controls, traces. Knows base, access, formats,
lake, ingest, query, traces, services.
"""
