"""SQL over the views by DataFusion: planning, running, functions. Knows base, formats, lake, views, and
traces, which one of its table functions gives.
"""
