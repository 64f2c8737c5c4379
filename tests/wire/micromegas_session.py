"""Run by the Micromegas client's own Python: calls the client as its documentation does, and prints what came as JSON.

python micromegas_session.py URI PROCESS_ID BEGIN END FOLDER
"""

import datetime
import json
import pathlib
import sys

import micromegas
import micromegas.admin
import micromegas.perfetto
import pyarrow


def main(uri: str, process_id: str, begin_text: str, end_text: str, folder: str) -> None:
    begin, end = (datetime.datetime.fromisoformat(text) for text in (begin_text, end_text))
    client = micromegas.connect(uri)
    seen: dict[str, object] = {}

    frame = client.query(
        f"SELECT time, level, target, msg FROM log_entries WHERE process_id = '{process_id}' ORDER BY time", begin, end
    )
    seen["logs"] = frame["msg"].tolist()
    seen["log_types"] = {name: str(kind) for name, kind in frame.dtypes.items()}
    late = client.query(f"SELECT count(*) AS n FROM log_entries WHERE process_id = '{process_id}'", end, None)
    seen["logs_after_the_end"] = int(late["n"].iloc[0])
    batches = list(client.query_stream(f"SELECT name, value FROM measures WHERE process_id = '{process_id}'"))
    seen["measures"] = pyarrow.Table.from_batches(batches).to_pylist()
    seen["range_as_text"] = len(
        client.query(f"SELECT * FROM log_entries WHERE process_id = '{process_id}'", begin_text)
    )

    statement = client.prepare_statement("SELECT time, level, msg FROM log_entries WHERE level <= 3")
    seen["prepared_query"] = statement.query
    seen["prepared_schema"] = {field.name: str(field.type) for field in statement.dataset_schema}
    seen["prepared_rows"] = sum(batch.num_rows for batch in client.prepared_statement_stream(statement))

    process = client.find_process(process_id)
    seen["process"] = {"rows": len(process), "exe": process["exe"].iloc[0], "columns": list(process.columns)}
    seen["no_process"] = client.find_process("00000000-0000-0000-0000-000000000000").empty

    streams = client.query_streams(begin, end, 100, process_id=process_id)
    seen["stream_tags"] = sorted("+".join(tags) for tags in streams["tags"])
    seen["stream_columns"] = list(streams.columns)
    cpu = client.query_streams(begin, end, 100, process_id=process_id, tag_filter="cpu")
    seen["cpu_streams"] = len(cpu)
    stream_id = cpu["stream_id"].iloc[0]
    blocks = client.query_blocks(begin, end, 100, stream_id)
    seen["blocks"] = {"rows": len(blocks), "columns": list(blocks.columns)}
    spans = client.query_spans(begin, end, 1000, stream_id)
    seen["spans"] = sorted(spans["name"].tolist())
    seen["span_columns"] = list(spans.columns)

    trace = pathlib.Path(folder) / "trace.perfetto"
    micromegas.perfetto.write_process_trace(client, process_id, begin, end, str(trace))
    seen["trace_bytes"] = trace.stat().st_size

    keeping = micromegas.connect(uri, preserve_dictionary=True)
    table = keeping.query_arrow(f"SELECT target, msg FROM log_entries WHERE process_id = '{process_id}'")
    seen["kept_dictionary"] = str(table.schema.field("target").type)
    seen["kept_frame"] = len(keeping.query(f"SELECT * FROM log_entries WHERE process_id = '{process_id}'"))
    seen["property"] = client.query(
        f"SELECT property_get(properties, 'build') AS build FROM processes WHERE process_id = '{process_id}'"
    )["build"].iloc[0]

    today = datetime.datetime.now(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = today - datetime.timedelta(days=1), today + datetime.timedelta(days=2)
    listed = "SELECT file_path, num_rows FROM list_partitions() WHERE view_set_name = 'log_stats'"
    client.materialize_partitions("log_stats", *days, 3600)
    made = client.query(listed)
    client.regenerate_partitions("log_stats", *days, 3600)
    again = client.query(listed)
    seen["partitions"] = [len(made), len(again), len(set(made["file_path"]) & set(again["file_path"]))]
    client.retire_partitions("log_stats", "global", *days)
    seen["retired"] = len(client.query(listed))
    seen["incompatible"] = len(micromegas.admin.list_incompatible_partitions(client))

    errors: dict[str, str | None] = {}
    seen["errors"] = errors
    for name, call in {
        "sql": lambda: client.query("SELECT nothing FROM log_entries"),
        "stream": lambda: list(client.query_stream("SELECT * FROM nowhere")),
        "prepare": lambda: client.prepare_statement("SELEKT 1"),
        "ingest": lambda: client.bulk_ingest("processes", pyarrow.table({"process_id": ["a"]})),
    }.items():
        try:
            call()
            errors[name] = None
        except Exception as error:
            errors[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
