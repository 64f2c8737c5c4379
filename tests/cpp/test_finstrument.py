"""Every call of an instrumented program is one span, whatever way the program takes out of its functions."""

from __future__ import annotations

import json
import platform
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cpp.builds import programs, run
from tests.pysdk.sink import Sink


def trace(program: Path, tmp_path: Path, *arguments: str, status: int = 0, **env: str) -> tuple[str, Sink, Any]:
    """Runs an instrumented program; what it printed, the sink with its spans, its report."""
    report = tmp_path / "report.json"
    with Sink() as sink:
        given = {"TACHY_URL": sink.url, "TACHY_REPORT": str(report), **env}
        printed = run([program, *arguments], env=given, status=status)
    return printed, sink, json.loads(report.read_text()) if report.exists() else None


def await_(there: Callable[[], bool]) -> None:
    """Until it is there; a test that waits for ever ends here."""
    until = time.monotonic() + 60
    while not there():
        assert time.monotonic() < until
        time.sleep(0.02)


def calls_of(printed: str, what: str = "calls") -> int:
    found = re.search(rf"{what} (\d+)", printed)
    assert found, printed
    return int(found[1])


@pytest.mark.parametrize("program", ["calls_c", "calls_c_shared", "calls_c_clang"])
@pytest.mark.parametrize("how", ["return", "exit", "fork"])
def test_every_call_of_a_c_program_is_a_span(program: str, how: str, tmp_path: Path) -> None:
    printed, sink, report = trace(programs() / program, tmp_path, how)
    assert len(sink.rows("span")) == calls_of(printed)
    assert report["recorded"]["span"] == calls_of(printed)
    assert report["dropped"]["span"] == report["too_deep"] == 0
    assert sink.heads()[0].description["sdk"] == "finstrument 0.1.0"


def test_exit_on_another_thread_leaves_the_others_open(tmp_path: Path) -> None:
    printed, sink, _ = trace(programs() / "calls_c", tmp_path, "thread")
    # main waits for the thread that exits: its span is not over
    assert len(sink.rows("span")) == calls_of(printed) - 1
    spans = Counter(row["name"] for row in sink.rows("span"))
    assert spans["exiting_thread"] == spans["end_here"] == 1
    assert spans["main"] == 0


def test_an_abort_does_not_lose_what_was_before_it(tmp_path: Path) -> None:
    printed, sink, _ = trace(programs() / "calls_c", tmp_path, "abort", status=-signal.SIGABRT)
    # main and end_here were running
    assert len(sink.rows("span")) == calls_of(printed) - 2


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the trap flag of x86-64")
def test_an_instrumented_handler_may_interrupt_every_single_instruction(tmp_path: Path) -> None:
    """The interrupted program's calls are all there, under their callers; the handler's are, or they are counted."""
    printed, sink, report = trace(programs() / "signals", tmp_path)
    handlers, own, both = (calls_of(printed, what) for what in ("handlers", "own", "both"))
    assert report["recorded"]["span"] == handlers + own + both
    assert 0 < report["dropped"]["span"] < 2 * handlers
    rows = sink.rows("span")
    assert len(rows) == report["recorded"]["span"] - report["dropped"]["span"]
    names = {(row["thread"], row["id"]): row["name"] for row in rows}
    spans = Counter((row["name"], names.get((row["thread"], row["parent"]), "")) for row in rows)
    assert sum(count for (name, _), count in spans.items() if name in {"main", "own"} or name[:5] == "fresh") == own
    assert {caller for name, caller in spans if name == "own"} == {"main", "own", *(f"fresh{n}" for n in range(4))}
    assert sum(count for (name, by), count in spans.items() if name == "of_both" and by == "own") == both - handlers
    assert report["mismatched"] == 0


def test_static_functions_have_names_and_files(tmp_path: Path) -> None:
    _, sink, _ = trace(programs() / "calls_c", tmp_path)
    spans = sink.rows("span")
    assert {row["name"] for row in spans} == {
        "main", "leaf", "recursion", "inlined", "deep", "jumps", "with_alloca", "thread", "end_here"
    }  # fmt: skip
    assert {row["target"] for row in spans} == {"calls_c"}
    assert {row["filename"] for row in spans if row["name"] == "leaf"} == {"calls.c"}


def test_spans_nest_as_the_calls_did(tmp_path: Path) -> None:
    _, sink, _ = trace(programs() / "calls_c", tmp_path)
    spans = {(row["thread"], row["id"]): row for row in sink.rows("span")}
    callers: dict[str, set[str]] = {}
    for row in spans.values():
        parent = spans.get((row["thread"], row["parent"]))
        callers.setdefault(row["name"], set()).add(parent["name"] if parent else "")
        if parent:
            assert parent["begin"] <= row["begin"] <= row["end"] <= parent["end"]
            assert row["depth"] == parent["depth"] + 1
    assert callers["deep"] == {"jumps", "deep"}
    # what is called after a longjmp is called by who jumped, not by what he left behind
    assert callers["inlined"] == {"jumps"}
    assert callers["recursion"] == {"main", "thread", "recursion"}
    assert callers["leaf"] == {"main", "recursion", "inlined", "with_alloca"}
    assert callers["main"] == callers["thread"] == {""}


def of_the_game(sink: Sink) -> Counter[str]:
    """Spans of functions in the namespace `game`: the rest is the standard library's, instrumented as well."""
    return Counter(row["name"] for row in sink.rows("span") if "game::" in row["name"].split("(")[0])


@pytest.mark.parametrize("program", ["calls_cpp", "calls_cpp_clang"])
def test_every_call_of_a_cpp_program_is_a_span(program: str, tmp_path: Path) -> None:
    printed, sink, report = trace(programs() / program, tmp_path)
    names = of_the_game(sink)
    constructed = names.pop("game::Actor::Actor()", 0)  # the compiler's own, which does not count itself
    assert constructed <= 1
    assert names.total() == calls_of(printed)
    assert names["game::Actor::tick(float)"] == 10
    assert names["game::Actor::tick(int)"] == 1
    assert names["int game::twice<int>(int)"] == 402
    assert names["double game::twice<double>(double)"] == 1
    assert names["game::fail(int)"] == 11 * 50
    assert names["game::Guard::~Guard()"] == 11 * 50
    assert report["dropped"]["span"] == 0


def test_calls_beyond_the_depth_are_counted_as_dropped(tmp_path: Path) -> None:
    printed, sink, report = trace(programs() / "calls_cpp", tmp_path, "deep")
    names = of_the_game(sink)
    names.pop("game::Actor::Actor()", 0)
    assert calls_of(printed, "deep") == 3000
    assert 3000 - 1024 <= report["too_deep"] <= 3000 - 1000
    assert names.total() == calls_of(printed) - report["too_deep"]
    assert report["recorded"]["span"] - report["dropped"]["span"] == len(sink.rows("span"))
    assert report["dropped"]["span"] == report["too_deep"]
    assert names["int game::twice<int>(int)"] == 402 + 1 - 1  # and afterwards all is well again


def test_guards_in_an_instrumented_program_nest_with_its_functions(tmp_path: Path) -> None:
    _, sink, report = trace(programs() / "mixed", tmp_path)
    spans = {(row["thread"], row["id"]): row for row in sink.rows("span")}
    mine = {key: row for key, row in spans.items() if "tachy::" not in row["name"] and "std::" not in row["name"]}
    parents: Counter[tuple[str, str]] = Counter()
    for row in mine.values():
        parent = spans.get((row["thread"], row["parent"]))
        parents[row["name"].split("::")[-1], parent["name"].split("::")[-1] if parent else ""] += 1
    assert parents["inner(int)", "OuterGuard"] == parents["InnerGuard", "inner(int)"] == 100
    assert parents["outer(int)", "main"] == parents["OuterGuard", "outer(int)"] == 10
    assert not [name for name in (row["name"] for row in spans.values()) if "tachy_" in name or "Span::" in name]
    assert report["mismatched"] == 0
    assert len(sink.rows("log")) == 100


def test_a_stripped_program_has_addresses_for_names(tmp_path: Path) -> None:
    stripped = tmp_path / "stripped"
    run(["strip", "-o", stripped, programs() / "calls_c"])
    printed, sink, _ = trace(stripped, tmp_path)
    spans = sink.rows("span")
    assert len(spans) == calls_of(printed)
    assert all(re.fullmatch(r"stripped\+0x[0-9a-f]+|main", row["name"]) for row in spans)
    assert len({row["name"] for row in spans}) == 9


def test_many_functions_on_many_threads(tmp_path: Path) -> None:
    """More functions than the table of sites begins with, found for the first time by several threads at once."""
    count, threads = 6000, 4
    functions = "\n".join(f"static int f{i}(int n) {{ return n + {i}; }}" for i in range(count))
    calls = "\n".join(f"  sum += f{i}(sum);" for i in range(count))
    source = tmp_path / "many.c"
    source.write_text(f"""#include <pthread.h>
        {functions}
        static void *all(void *unused) {{ int sum = 0;\n{calls}\n return unused ? unused : (void *)(long)(sum | 1); }}
        int main(void) {{
          pthread_t threads[{threads}];
          for (int i = 0; i < {threads}; i++) pthread_create(&threads[i], 0, all, 0);
          for (int i = 0; i < {threads}; i++) pthread_join(threads[i], 0);
          return 0;
        }}""")
    library = next(programs().rglob("libtachy_finstrument.so"))
    program = tmp_path / "many"
    run(["gcc", "-O0", "-finstrument-functions", "-pthread", source, library, f"-Wl,-rpath,{library.parent}",
         f"-Wl,-rpath-link,{library.parent / 'native'}", "-o", program])  # fmt: skip
    _, sink, report = trace(program, tmp_path)
    names = Counter(row["name"] for row in sink.rows("span"))
    assert names == {**{f"f{i}": threads for i in range(count)}, "all": threads, "main": 1}
    assert report["sites"] == count + 2


def compiled(tmp_path: Path, source: str, *options: str) -> Path:
    """A C program of this text, instrumented, with the shared library."""
    library = next(programs().rglob("libtachy_finstrument.so"))
    (tmp_path / "program.c").write_text(source)
    run(["gcc", *options, "-finstrument-functions", "-pthread", tmp_path / "program.c", library,
         f"-Wl,-rpath,{library.parent}", f"-Wl,-rpath-link,{library.parent / 'native'}",
         "-o", tmp_path / "program"])  # fmt: skip
    return tmp_path / "program"


def test_signal_handlers_that_run_inside_fork_hold_nothing_up(tmp_path: Path) -> None:
    """Children that end while others are forked; a timer as well. Handlers call functions that were never called."""
    functions = "\n".join(f"void f{i}(void) {{ sum += {i}; }}" for i in range(64))
    table = ", ".join(f"f{i}" for i in range(64))
    program = compiled(
        tmp_path,
        f"""#include <signal.h>
        #include <stdlib.h>
        #include <sys/time.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static volatile int sum, next;
        {functions}
        static void (*const all[])(void) = {{{table}}};
        static void on_signal(int number) {{ all[next++ % 64](); (void)number; }}
        int main(void) {{
          const struct itimerval often = {{{{0, 200}}, {{0, 200}}}};
          signal(SIGCHLD, on_signal);
          signal(SIGALRM, on_signal);
          setitimer(ITIMER_REAL, &often, 0);
          for (int i = 0; i < 40; i++) {{
            const pid_t child = fork();
            if (child == 0) _exit(0);
            if (child < 0) i--; /* EINTR does not happen, EAGAIN may */
          }}
          while (wait(0) > 0 || next < 64) continue;
          setitimer(ITIMER_REAL, &(const struct itimerval){{{{0, 0}}, {{0, 0}}}}, 0);
          return 0;
        }}""",
        "-O1",
    )
    for _ in range(5):
        _, sink, report = trace(program, tmp_path)
        names = Counter(row["name"] for row in sink.rows("span"))
        assert names["main"] == 1
        # what a handler cannot record inside a record of its thread is counted
        assert sum(names.values()) + report["dropped"]["span"] == report["recorded"]["span"]


@pytest.mark.parametrize("optimised", ["-O0", "-O2"])
def test_what_a_longjmp_left_is_dead_also_where_the_next_call_has_its_address(optimised: str, tmp_path: Path) -> None:
    """From one call site; out of what was inlined, in turns; through a pointer."""
    program = compiled(
        tmp_path,
        """#include <setjmp.h>
        static jmp_buf there;
        static volatile int sum;
        #define KEPT static __attribute__((noinline)) void
        #define INLINED static inline __attribute__((always_inline)) void
        KEPT leaf(void) { sum++; }
        KEPT deep(int n) { if (n == 0) longjmp(there, 1); deep(n - 1); sum++; }
        KEPT left(int n) { if (n >= 0) longjmp(there, 1); sum++; }
        KEPT right(int n) { if (n >= 0) longjmp(there, 1); sum++; }
        INLINED one(int n) { leaf(); if (n >= 0) longjmp(there, 1); sum++; }
        INLINED two(int n) { leaf(); if (n >= 0) longjmp(there, 1); sum++; }
        KEPT one_site(int rounds) {
          for (volatile int i = 0; i < rounds; i = i + 1) if (!setjmp(there)) deep(50);
          leaf();
        }
        KEPT inlined(int rounds) {
          for (volatile int i = 0; i < rounds; i = i + 1) if (!setjmp(there)) { if (i % 2) one(i); else two(i); }
          leaf();
        }
        KEPT pointers(int rounds) {
          static void (*const functions[])(int) = {left, right};
          for (volatile int i = 0; i < rounds; i = i + 1) if (!setjmp(there)) functions[i % 2](i);
          leaf();
        }
        int main(void) { one_site(3000); inlined(3000); pointers(3000); return 0; }""",
        optimised,
    )
    _, sink, report = trace(program, tmp_path)
    spans = {(row["thread"], row["id"]): row for row in sink.rows("span")}
    names = Counter(row["name"] for row in spans.values())
    assert names == {"main": 1, "one_site": 1, "inlined": 1, "pointers": 1, "leaf": 3003, "deep": 51 * 3000,
                     "left": 1500, "right": 1500, "one": 1500, "two": 1500}  # fmt: skip
    assert report["dropped"]["span"] == report["too_deep"] == 0
    depths = {name: max(row["depth"] for row in spans.values() if row["name"] == name) for name in names}
    # left and right, called through one pointer, look like one inlined into the other; so do one and two
    most = {"main": 0, "one_site": 1, "inlined": 1, "pointers": 1, "leaf": 4, "deep": 52,
            "left": 3, "right": 3, "one": 3, "two": 3}  # fmt: skip
    assert {name: depth for name, depth in depths.items() if depth > most[name]} == {}


def test_functions_of_a_plugin_have_names(tmp_path: Path) -> None:
    source = tmp_path / "plugin.c"
    source.write_text("static int hidden(int n) { return n * 2; }\nint plugin(int n) { return hidden(n) + 1; }\n")
    plugin = tmp_path / "plugin.so"
    run(["gcc", "-O0", "-fPIC", "-shared", "-finstrument-functions", source, "-o", plugin])
    printed, sink, _ = trace(programs() / "loads_plugin", tmp_path, str(plugin))
    assert printed == "7\n"
    assert {(row["name"], row["target"], row["filename"]) for row in sink.rows("span")} == {
        ("main", "loads_plugin", ""),
        ("plugin", "plugin.so", ""),
        ("hidden", "plugin.so", "plugin.c"),
    }


def test_an_empty_url_records_nothing(tmp_path: Path) -> None:
    run([programs() / "calls_c"], env={"TACHY_URL": "", "TACHY_REPORT": str(tmp_path / "report.json")}, timeout=20)
    assert not (tmp_path / "report.json").exists()


def test_a_preloaded_library_traces_an_instrumented_program(tmp_path: Path) -> None:
    """Compiled with -finstrument-functions and linked to nothing of ours: libc's empty hooks are replaced."""
    program = tmp_path / "program"
    source = Path(__file__).parent / "programs" / "calls.c"
    run(["gcc", "-O2", "-finstrument-functions", "-pthread", source, "-o", program])
    library = next(programs().rglob("libtachy_finstrument.so"))
    printed, sink, _ = trace(program, tmp_path, LD_PRELOAD=str(library))
    assert len(sink.rows("span")) == calls_of(printed)


def test_a_killed_server_does_not_hold_the_program(session_folder: Path) -> None:
    env = {
        "TACHY_URL": "http://127.0.0.1:1",
        "TACHY_STOP_TIMEOUT_MS": "200",
        "TACHY_SESSION_FOLDER": str(session_folder),
    }
    done = subprocess.run([programs() / "calls_c"], env=env, timeout=20, capture_output=True, check=False)
    assert done.returncode == 0
    assert list(session_folder.glob("*.batch"))  # kept for the next start


@pytest.mark.parametrize("server", ["away", "silent"])
def test_an_end_does_not_wait_for_a_server_where_files_protect_what_is_left(server: str, session_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:  # connects, and never answers
        port = listening.getsockname()[1] if server == "silent" else 1
        env = {"TACHY_URL": f"http://127.0.0.1:{port}", "TACHY_STOP_TIMEOUT_MS": "600000"}
        run([programs() / "calls_c"], env=env, timeout=60)
    assert list(session_folder.glob("*.batch"))


def test_an_end_waits_as_long_as_it_was_told_where_nothing_protects_what_is_left() -> None:
    env = {"TACHY_URL": "http://127.0.0.1:1", "TACHY_STOP_TIMEOUT_MS": "1500", "TACHY_SESSION_FOLDER": "-"}
    begin = time.monotonic()
    run([programs() / "calls_c"], env=env)
    assert time.monotonic() - begin > 1.5


ENDS = """#define _GNU_SOURCE
    #include <signal.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/wait.h>
    #include <unistd.h>
    static volatile int sum;
    static __attribute__((noinline)) void leaf(int n) { sum += n; }
    int main(int count, char **values) {
      const char *const how = count > 1 ? values[1] : "";
      leaf(0);
      if (!strcmp(how, "daemon")) { if (daemon(1, 0)) return 1; }
      if (!strcmp(how, "setsid")) { if (fork() != 0) exit(0); setsid(); }
      if (!strcmp(how, "exec") && fork() == 0) execl(values[0], values[0], "child", (char *)0);
      if (!strcmp(how, "exec")) wait(0);
      for (int i = 1; i < 1000; i++) leaf(i);
      if (!strcmp(how, "quick_exit")) quick_exit(0);
      if (!strcmp(how, "SIGTERM")) raise(SIGTERM);
      if (!strcmp(how, "SIGSEGV")) raise(SIGSEGV);
      return 0;
    }"""


def of_processes(sink: Sink) -> list[dict[str, Any]]:
    """The last description of each process, in the order in which they began."""
    return list({head.process_id: head.description for head in sink.heads()}.values())


def test_quick_exit_loses_nothing(tmp_path: Path) -> None:
    _, sink, _ = trace(compiled(tmp_path, ENDS), tmp_path, "quick_exit")
    assert Counter(row["name"] for row in sink.rows("span")) == {"leaf": 1000, "main": 1}
    assert [process["state"] for process in of_processes(sink)] == ["exited"]


@pytest.mark.parametrize(("ended", "state"), [("SIGTERM", "exited"), ("SIGSEGV", "crashed")])
@pytest.mark.usefixtures("session_folder")
def test_who_was_asked_to_end_did_not_crash(ended: str, state: str, tmp_path: Path) -> None:
    program = compiled(tmp_path, ENDS)
    with Sink() as sink:
        run([program, ended], env={"TACHY_URL": sink.url}, status=-int(getattr(signal, ended)))
        run([program], env={"TACHY_URL": sink.url, "TACHY_STOP_TIMEOUT_MS": "60000"})
        await_(lambda: len(sink.rows("span")) >= 2001)
    assert Counter(row["name"] for row in sink.rows("span"))["leaf"] == 2000
    assert sorted(process["state"] for process in of_processes(sink)) == sorted(["exited", state])


@pytest.mark.parametrize("how", ["daemon", "setsid"])
def test_a_daemon_records_on_as_a_child_of_who_started_it(how: str, tmp_path: Path) -> None:
    program = compiled(tmp_path, ENDS)
    with Sink() as sink:
        run([program, how], env={"TACHY_URL": sink.url})
        await_(lambda: len(of_processes(sink)) == 2 and all(p["state"] == "exited" for p in of_processes(sink)))
    assert Counter(row["name"] for row in sink.rows("span"))["leaf"] == 1000
    parents = {process["process_id"]: process["parent_process_id"] for process in of_processes(sink)}
    assert len(parents) == 2
    assert set(parents.values()) - {None} <= set(parents)


def test_a_program_that_another_executes_is_its_child(tmp_path: Path) -> None:
    _, sink, _ = trace(compiled(tmp_path, ENDS), tmp_path, "exec")
    parents = {process["process_id"]: process["parent_process_id"] for process in of_processes(sink)}
    assert len(parents) == 2
    assert set(parents.values()) - {None} <= set(parents)
    assert list(parents.values()).count(None) == 1
