"""Reads traces back: with the perfetto wheel's protos, rule by rule (`read`), or, for counting slices in traces of any
size, with an independent scanner in C (`thread_slices`)."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as protos

BEGIN, END, INSTANT, COUNTER = 1, 2, 3, 4
_ROOT = Path(__file__).resolve().parents[2]
_CDEF = "int64_t tachy_scan(const char *path, char *error, size_t error_size);"


@dataclass
class Slice:
    """A slice or an instant (end == begin), as a trace processor would have it."""

    track: int
    begin: int
    name: str
    category: str
    source: tuple[str, str, int] | None
    depth: int
    end: int = -1
    annotations: dict[str, Any] = field(default_factory=dict)
    children: list[Slice] = field(default_factory=list)
    flows: list[Slice] = field(default_factory=list)  # where its flows lead to


@dataclass
class Readback:
    """What a trace says. Tracks by uuid."""

    tracks: dict[int, protos.TrackDescriptor] = field(default_factory=dict)
    slices: dict[int, list[Slice]] = field(default_factory=lambda: defaultdict(list))  # in the order of their begins
    instants: dict[int, list[Slice]] = field(default_factory=lambda: defaultdict(list))
    counters: dict[int, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    order: list[tuple[int, int]] = field(default_factory=list)  # (track, timestamp) of every event
    packets: int = 0
    flows: dict[int, Slice] = field(default_factory=dict)  # those that have begun and are to end
    through: dict[int, list[Slice]] = field(default_factory=lambda: defaultdict(list))  # those that need not end

    def of_kind(self, kind: str) -> list[int]:
        """Uuids of tracks: `process`, `thread`, `counter`, or `` for what is none of them."""
        kinds = ("process", "thread", "counter")
        return [
            uuid
            for uuid, track in self.tracks.items()
            if (track.HasField(kind) if kind else not any(track.HasField(other) for other in kinds))
        ]

    def named(self, name: str) -> list[int]:
        return [uuid for uuid, track in self.tracks.items() if track.name == name]

    @property
    def thread_slices(self) -> list[Slice]:
        return [found for uuid in self.of_kind("thread") for found in self.slices.get(uuid, [])]


@dataclass
class _Sequence:
    last: int = 0
    track: int = 0
    cleared: bool = False
    names: dict[int, str] = field(default_factory=dict)
    categories: dict[int, str] = field(default_factory=dict)
    places: dict[int, tuple[str, str, int]] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)


def read(data: bytes, *, any_flows: bool = False) -> Readback:
    """Asserts the rules of the format: it parses, sequences start cleared, times never decrease in a sequence, interned
    ids are defined once and before they are used, tracks are described before they are used, slices balance, flows lead
    somewhere and pass a slice once (unless `any_flows`: the program gave spans numbers at random).
    """
    packets = list(_packets(data))
    found = Readback(packets=len(packets))
    sequences: dict[int, _Sequence] = defaultdict(_Sequence)
    stacks: dict[int, list[Slice]] = defaultdict(list)
    for packet in packets:
        assert packet.trusted_packet_sequence_id > 0
        sequence = sequences[packet.trusted_packet_sequence_id]
        if packet.HasField("track_descriptor"):
            _track(found, packet.track_descriptor)
        if packet.sequence_flags & 1:
            assert packet.first_packet_on_sequence
            assert not sequence.cleared, "a sequence is cleared once"
            sequence.cleared = True
            assert packet.trace_packet_defaults.timestamp_clock_id == 64
            clocks = [(c.clock_id, c.timestamp, c.is_incremental) for c in packet.clock_snapshot.clocks]
            assert clocks == [(6, 0, False), (64, 0, True)], "each timestamp is what has passed since the one before"
            sequence.track = packet.trace_packet_defaults.track_event_defaults.track_uuid
        if packet.HasField("interned_data"):
            assert sequence.cleared
            _intern(sequence, packet.interned_data)
        if packet.HasField("track_event"):
            assert sequence.cleared
            sequence.last += packet.timestamp
            assert sequence.last < 1 << 63, "times never decrease in a sequence"
            _event(found, stacks, sequence, packet)
    for uuid, stack in stacks.items():
        assert not stack, f"track {uuid} ends with open slices"
    if not any_flows:
        through = found.through.values()
        assert all(len({id(of) for of in slices}) == len(slices) for slices in through), "a slice is on a flow once"
        assert all(len(found.through[flow]) > 1 for flow in found.flows), "every flow leads somewhere"
    return found


def _packets(data: bytes) -> Iterator[protos.TracePacket]:
    trace = protos.Trace()
    trace.ParseFromString(data)
    for packet in trace.packet:
        if packet.HasField("compressed_packets"):
            yield from _packets(zlib.decompress(packet.compressed_packets))
        else:
            yield packet


def _track(found: Readback, track: protos.TrackDescriptor) -> None:
    assert track.uuid
    if track.HasField("parent_uuid"):
        assert track.parent_uuid in found.tracks, "a parent is described first"
    known = found.tracks.get(track.uuid)
    if known is not None:
        assert known.thread.tid == track.thread.tid
        assert track.HasField("thread"), "only threads are described again, with a new name"
    found.tracks[track.uuid] = track


def _intern(sequence: _Sequence, data: protos.InternedData) -> None:
    tables: list[tuple[dict[int, Any], list[tuple[int, Any]]]] = [
        (sequence.names, [(entry.iid, entry.name) for entry in data.event_names]),
        (sequence.categories, [(entry.iid, entry.name) for entry in data.event_categories]),
        (
            sequence.places,
            [(e.iid, (e.file_name, e.function_name, e.line_number)) for e in data.source_locations],
        ),
        (sequence.keys, [(entry.iid, entry.name) for entry in data.debug_annotation_names]),
        (sequence.texts, [(entry.iid, entry.str.decode()) for entry in data.debug_annotation_string_values]),
    ]
    for table, entries in tables:
        for iid, value in entries:
            assert iid
            assert iid not in table, "an id is defined once"
            table[iid] = value


def _value(sequence: _Sequence, annotation: protos.DebugAnnotation) -> tuple[str, Any]:
    name = sequence.keys[annotation.name_iid] if annotation.name_iid else annotation.name
    if annotation.dict_entries:
        return name, dict(_value(sequence, entry) for entry in annotation.dict_entries)
    if annotation.string_value_iid:
        return name, sequence.texts[annotation.string_value_iid]
    kind = annotation.WhichOneof("value")
    assert kind in ("bool_value", "uint_value", "int_value", "double_value", "string_value")
    return name, getattr(annotation, kind)


def _flow(found: Readback, event: protos.TrackEvent, of: Slice) -> None:
    for flow in event.terminating_flow_ids:
        assert found.through.pop(flow) == [found.flows[flow]], "a flow that ends leads from one to one"
        found.flows.pop(flow).flows.append(of)
    for flow in event.flow_ids:
        found.flows.setdefault(flow, of)
        found.through[flow].append(of)


def _event(found: Readback, stacks: dict[int, list[Slice]], sequence: _Sequence, packet: protos.TracePacket) -> None:
    event, time = packet.track_event, sequence.last
    track = event.track_uuid or sequence.track
    assert track in found.tracks, "a track is described before it is used"
    found.order.append((track, time))
    annotations = dict(_value(sequence, annotation) for annotation in event.debug_annotations)
    stack = stacks[track]
    if event.type == END:
        assert stack, "an end has a begin"
        ended = stack.pop()
        ended.end = time
        ended.annotations |= annotations
        _flow(found, event, ended)
        return
    if event.type == COUNTER:
        assert found.tracks[track].HasField("counter")
        value = event.counter_value if event.HasField("counter_value") else event.double_counter_value
        found.counters[track].append((time, value))
        return
    begun = Slice(
        track,
        time,
        sequence.names[event.name_iid] if event.name_iid else event.name,
        sequence.categories[event.category_iids[0]] if event.category_iids else "".join(event.categories),
        sequence.places[event.source_location_iid] if event.source_location_iid else None,
        len(stack),
        annotations=annotations,
    )
    if event.type == INSTANT:
        begun.end = time
        found.instants[track].append(begun)
        return
    assert event.type == BEGIN
    _flow(found, event, begun)
    if stack:
        stack[-1].children.append(begun)
    stack.append(begun)
    found.slices[track].append(begun)


@functools.cache
def _scanner() -> ModuleType:
    """Builds scan.c once per source, into build/."""
    import cffi

    source = (Path(__file__).parent / "scan.c").read_text()
    name = f"_tachy_scan_{hashlib.sha256((source + sys.version).encode()).hexdigest()[:16]}"
    folder = _ROOT / "build" / "scan"
    folder.mkdir(parents=True, exist_ok=True)
    built = sorted(folder.glob(f"{name}*.so"))
    if not built:
        ffi = cffi.FFI()
        ffi.cdef(_CDEF)
        ffi.set_source(name, source, extra_compile_args=["-O2", "-Wall", "-Wextra", "-Werror"])
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(ffi.compile(tmpdir=scratch))
            os.replace(made, folder / made.name)
            built = [folder / made.name]
    spec = importlib.util.spec_from_file_location(name, built[0])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def thread_slices(path: str | os.PathLike[str]) -> int:
    """Slice begins on threads' tracks in the trace. Raises ValueError where the file is not a well-formed trace."""
    module = _scanner()
    error = module.ffi.new("char[]", 256)
    count = int(module.lib.tachy_scan(os.fsencode(path), error, 256))
    if count < 0:
        raise ValueError(module.ffi.string(error).decode())
    return count
