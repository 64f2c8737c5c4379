// -finstrument-functions to spans: every function that gcc or clang compiled so calls the two hooks at the end of this
// file.
//
// A hook does inline what tachy_span_begin and tachy_span_end do. What it adds: a table from a function's address to
// its site (read without a lock, filled once per function, names from symbols.hpp), and beside the shadow stack a note
// of which function, in which frame, made each entry. So a longjmp, an exception, or an exit whose entry was not
// recorded is recognised: entries of frames below the present one are dead and are ended; an exit without an entry is
// ignored. Run: pytest tests/cpp/test_finstrument.py.
//
// The session begins in a constructor and ends at exit. Environment: TACHY_URL ("": nothing is recorded),
// TACHY_POOL_BYTES, TACHY_STOP_TIMEOUT_MS, TACHY_REPORT (a file for tachy_write_report);
// TACHY_FINSTRUMENT_SESSION=0 leaves the session to the program.
#include <csignal>
#include <cstdint>
#include <cstdlib>

#include "platform.hpp"
#include "symbols.hpp"
#include "tachy/http_sender.h"
#include "tachy/report.h"
#include "tachy/tachy.h"

// An address in the caller's frame that needs no frame pointer: where the stack stood before the hook was called.
#define TACHY_FRAME __builtin_dwarf_cfa()
#define TACHY_COLD static __attribute__((noinline, cold))

using namespace tachy::finstrument;
using tachy::sender::process;

namespace {

// From function to site ---------------------------------------------------------------------------------------------

struct Slot {
  std::uintptr_t function;  // 0: free; stored after the site
  tachy_site *site;
};

// Open addressing, at most half full. One that has grown too small is replaced and kept: somebody may be reading it.
struct Table {
  Slot *slots;
  std::size_t mask;
  unsigned shift;
};

constexpr unsigned kFirstBits = 12;
Slot first_slots[1u << kFirstBits];
Table first_table = {first_slots, (1u << kFirstBits) - 1, 64 - kFirstBits};
Table *table = &first_table;
std::size_t functions;  // in the table
Lock mutex;             // of inserting, and of symbols.hpp

tachy_site no_site = {-1, 0, TACHY_SITE_SPAN, 0, 0, "", "", "", ""};  // of a function for which there was no memory

TACHY_INLINE std::size_t first_index(const Table *in, std::uintptr_t function) {
  return static_cast<std::size_t>((function * UINT64_C(0x9E3779B97F4A7C15)) >> in->shift);
}

// nullptr: a function that was never seen.
TACHY_INLINE tachy_site *find_site(std::uintptr_t function) {
  const Table *const in = TACHY_LOAD_ACQUIRE(&table);
  for (std::size_t at = first_index(in, function);; at = (at + 1) & in->mask) {
    const Slot *const slot = &in->slots[at];
    const std::uintptr_t found = TACHY_LOAD_ACQUIRE(&slot->function);
    if (TACHY_LIKELY(found == function)) return slot->site;
    if (found == 0) return nullptr;
  }
}

void put(const Table *in, std::uintptr_t function, tachy_site *site) {
  std::size_t at = first_index(in, function);
  while (in->slots[at].function) at = (at + 1) & in->mask;
  in->slots[at].site = site;
  TACHY_STORE_RELEASE(&in->slots[at].function, function);
}

bool grow() {
  const Table *const old = table;
  const std::size_t slots = (old->mask + 1) * 2;
  char *const memory = static_cast<char *>(map(sizeof(Table) + slots * sizeof(Slot)));
  if (!memory) return false;
  Table *const bigger = reinterpret_cast<Table *>(memory);
  *bigger = {reinterpret_cast<Slot *>(memory + sizeof(Table)), slots - 1, old->shift - 1};
  for (std::size_t i = 0; i <= old->mask; i++) {
    if (old->slots[i].function) put(bigger, old->slots[i].function, old->slots[i].site);
  }
  TACHY_STORE_RELEASE(&table, bigger);
  return true;
}

tachy_site *add_site(std::uintptr_t function) {
  mutex.lock();
  tachy_site *site = find_site(function);
  if (!site && (functions * 2 <= table->mask || grow())) {
    const Symbol symbol = resolve(function);
    site = tachy_site_intern(TACHY_SITE_SPAN, TACHY_LEVEL_NONE, symbol.module, symbol.name, symbol.file, 0, "");
    if (!site) site = &no_site;
    put(table, function, site);
    functions++;
  }
  mutex.unlock();
  return site ? site : &no_site;
}

// Who made the entries of the shadow stack --------------------------------------------------------------------------

struct Entry {
  std::uintptr_t function;
  std::uintptr_t frame;  // of its hook: the smaller, the deeper
  std::uint32_t site;    // an entry is ours while the shadow stack has the same; else the program's own span lies there
  std::uint32_t hook;    // where its hook was called (lower half)
  std::uint32_t caller;  // where the function that called it returns to (lower half)
};

struct Local {
  Entry entries[TACHY_DEPTH_MAX + 1];  // one for each top; the first is nobody's, shallower than any frame
  std::uint32_t too_deep;              // functions entered beyond TACHY_DEPTH_MAX and not left
};

TACHY_OF_THREAD(Local *) local;
TACHY_OF_THREAD(bool) busy;  // in a slow path: what it calls may be instrumented

bool running;  // atomic

void release_local(void *memory) {
  local = nullptr;
  unmap(memory, sizeof(Local));
}

Local *make_local() {
  Local *const made = static_cast<Local *>(map(sizeof(Local)));
  if (!made) return nullptr;
  made->entries[0].frame = UINTPTR_MAX;
  if (!arm_thread_end(made)) {
    unmap(made, sizeof(Local));
    return nullptr;
  }
  local = made;
  return made;
}

constexpr std::uint32_t step = sizeof(tachy_open_span);
static_assert(sizeof(Entry) % step == 0, "an address scales a top by itself");

TACHY_INLINE Entry *entry_at(Local *mine, std::uint32_t top) {
  constexpr std::size_t scale = sizeof(Entry) / step;
  char *const entries = reinterpret_cast<char *>(mine->entries);
  return reinterpret_cast<Entry *>(entries + (top * scale - TACHY_TOP_NONE_ * scale));
}

TACHY_INLINE void note(Local *mine, std::uint32_t top, std::uintptr_t function, std::uintptr_t frame,
                       std::uintptr_t hook, std::uintptr_t caller, std::int32_t id) {
  Entry *const entry = entry_at(mine, top);
  entry->function = function;
  entry->frame = frame;
  entry->site = static_cast<std::uint32_t>(id);
  entry->hook = static_cast<std::uint32_t>(hook);
  entry->caller = static_cast<std::uint32_t>(caller);
}

TACHY_INLINE bool is_ours(tachy_thread *thread, Local *mine, std::uint32_t top) {
  return entry_at(mine, top)->site == tachy_span_entry_(thread, top)->site;
}

// The thread is inside a record: ends its open spans from the top down to `last`. Returns the top that is left.
std::uint32_t end_down_to(tachy_thread *thread, std::uint32_t top, std::uint32_t last) {
  const std::uint64_t now = tachy_ticks();
  for (; top >= last; top -= step) {
    tachy_span_close_(thread, top, now);
    TACHY_STORE_RELEASE(&thread->top, TACHY_INSIDE_ | (top - step));
  }
  return top;
}

// The same of a thread that is not inside one, and is known.
void end_open(tachy_thread *thread, std::uint32_t last) {
  const std::uint32_t top = thread->top;
  tachy_span_enter_(thread);
  TACHY_STORE_RELEASE(&thread->top, end_down_to(thread, top, last));
}

// Whether the entry's function has been left, as seen from a function that is entered in this frame.
// What was inlined calls its hook from the frame of the function around it, elsewhere in this function. Without an
// exit, a hook is called twice from one frame only when a longjmp has left the first call's function.
bool is_dead(const Entry *entry, std::uintptr_t frame, std::uintptr_t hook, std::uintptr_t caller) {
  if (entry->frame != frame) return entry->frame < frame;
  return entry->caller != static_cast<std::uint32_t>(caller) || entry->hook == static_cast<std::uint32_t>(hook);
}

// Ends what a longjmp has left behind, and all above it: entries of deeper frames, and of this one's address that were
// not made by what this one is inlined into. The thread is inside a record; returns the top that is left.
std::uint32_t end_dead(tachy_thread *thread, std::uint32_t open, Local *mine, std::uintptr_t frame, std::uintptr_t hook,
                       std::uintptr_t caller) {
  std::uint32_t dead = 0;
  for (std::uint32_t top = open; top > TACHY_TOP_NONE_; top -= step) {
    if (!is_ours(thread, mine, top)) continue;
    if (entry_at(mine, top)->frame > frame) break;
    if (is_dead(entry_at(mine, top), frame, hook, caller)) dead = top;
  }
  if (dead) return end_down_to(thread, open, dead);
  if (open > TACHY_TOP_NONE_ && !is_ours(thread, mine, open)) {
    // the program's own span: an old note in its place must not lead here again
    note(mine, open, 0, UINTPTR_MAX, 0, 0, static_cast<std::int32_t>(tachy_span_entry_(thread, open)->site));
  }
  return open;
}

// 0: it is not to be recorded.
std::int32_t id_of(std::uintptr_t function) {
  tachy_site *site = find_site(function);
  if (!site) site = add_site(function);
  return TACHY_LOAD(&site->id);
}

void enter_carefully(std::uintptr_t function, std::uintptr_t frame, std::uintptr_t hook, std::uintptr_t caller) {
  tachy_thread *const thread = tachy_here_();
  // a signal handler's functions are not recorded meanwhile: their exits must not find those that they interrupted
  std::uint32_t top = thread->top;
  const bool known = thread != &tachy_no_thread_;
  if (known) tachy_span_enter_(thread);
  const std::int32_t id = id_of(function);
  Local *const mine = id > 0 && !local ? make_local() : local;
  if (known && id > 0 && mine) {
    top = end_dead(thread, top, mine, frame, hook, caller);
    if (top < thread->room) {
      mine->too_deep = 0;
      note(mine, top + step, function, frame, hook, caller, id);
      tachy_span_open_(thread, top + step, id, tachy_ticks());
      return;
    }
  }
  if (known) TACHY_STORE_RELEASE(&thread->top, top);
  if (id <= 0 || !mine) return;
  const std::uint32_t scope = tachy_span_begin_slow_(id);
  if (scope) {
    mine->too_deep = 0;
    note(mine, scope, function, frame, hook, caller, id);
  } else if (tachy_here_()->top == TACHY_TOP_MAX_) {
    mine->too_deep++;
  }
}

// Dropped and counted: what a signal handler calls while its thread is here, or inside a record.
TACHY_COLD void enter_slow(std::uintptr_t function, std::uintptr_t frame, std::uintptr_t hook, std::uintptr_t caller) {
  if (tachy_forking() || !TACHY_LOAD_ACQUIRE(&running)) return;
  const tachy_thread *const thread = tachy_here_();
  if (busy || (thread != &tachy_no_thread_ && thread->top > TACHY_TOP_MAX_)) {
    tachy_span_begin_slow_(0);
    return;
  }
  busy = true;
  TACHY_SIGNAL_FENCE();
  enter_carefully(function, frame, hook, caller);
  TACHY_SIGNAL_FENCE();
  busy = false;
}

// Whether nothing at the top is dead although it has this frame's address: what is entered was inlined.
bool is_inlined(tachy_thread *thread, Local *mine, std::uintptr_t frame, std::uintptr_t hook, std::uintptr_t caller) {
  for (std::uint32_t top = thread->top; top > TACHY_TOP_NONE_; top -= step) {
    if (!is_ours(thread, mine, top) || is_dead(entry_at(mine, top), frame, hook, caller)) return false;
    if (entry_at(mine, top)->frame > frame) return true;
  }
  return true;
}

TACHY_INLINE void enter(tachy_thread *thread, Local *mine, std::uint32_t top, std::uintptr_t function,
                        std::uintptr_t frame, std::uintptr_t hook, std::uintptr_t caller) {
  tachy_site *const site = find_site(function);
  if (TACHY_UNLIKELY(!site)) {
    enter_slow(function, frame, hook, caller);
    return;
  }
  const std::int32_t id = TACHY_LOAD(&site->id);
  if (id <= 0) return;
  tachy_span_enter_(thread);
  note(mine, top + step, function, frame, hook, caller, id);
  tachy_span_open_(thread, top + step, id, tachy_ticks());
}

__attribute__((noinline)) void enter_beside(std::uintptr_t function, std::uintptr_t frame, std::uintptr_t hook,
                                            std::uintptr_t caller) {
  tachy_thread *const thread = tachy_here_();
  Local *const mine = local;
  if (is_inlined(thread, mine, frame, hook, caller)) {
    enter(thread, mine, thread->top, function, frame, hook, caller);
  } else {
    enter_slow(function, frame, hook, caller);
  }
}

TACHY_COLD void exit_slow(std::uintptr_t function, std::uintptr_t frame) {
  Local *const mine = local;
  tachy_thread *const thread = tachy_here_();
  const std::uint32_t open = thread->top;
  if (!mine || open > TACHY_TOP_MAX_) return;
  if (mine->too_deep) {
    if (open == TACHY_TOP_MAX_ && frame <= entry_at(mine, open)->frame) {
      mine->too_deep--;
      return;
    }
    mine->too_deep = 0;
  }
  std::uint32_t found = 0;
  for (std::uint32_t top = open; top > TACHY_TOP_NONE_; top -= step) {
    if (!is_ours(thread, mine, top)) continue;
    const Entry *const entry = entry_at(mine, top);
    const bool deeper = entry->frame < frame;  // dead, or the one that exits, by a jump
    if (found && !deeper) break;
    if (entry->function == function) found = top;
    if (found && !deeper) break;
  }
  if (found) end_open(thread, found);
}

// The session -------------------------------------------------------------------------------------------------------

// Every function is an event: this is 100 ms at 5 million a second.

tachy_http_sender *http_sender;
std::uint64_t owner;  // the process
bool orphan;          // a forked child of a process that recorded
std::uint32_t stop_timeout_ms;

std::uint32_t number(const char *name, std::uint32_t otherwise) {
  const char *const text = getenv(name);
  return text && *text ? static_cast<std::uint32_t>(strtoul(text, nullptr, 0)) : otherwise;
}

}  // namespace

void tachy::finstrument::finish() {
  if (owner != process() || !running) return;
  TACHY_STORE_RELEASE(&running, false);
  busy = true;
  // Functions that have called exit do not return: they end here, on this thread.
  tachy_thread *const thread = tachy_here_();
  if (thread->top <= TACHY_TOP_MAX_) end_open(thread, TACHY_TOP_OF_(1));
  tachy_http_sender_stop(http_sender, stop_timeout_ms);
  http_sender = nullptr;
  const char *const report = getenv("TACHY_REPORT");
  if (report && *report) tachy_write_report(report);
}

namespace {

// What happened just before an abort is what somebody will want to see.
void on_abort(int) {
  if (owner == process() && !busy) {
    busy = true;
    tachy_flush(stop_timeout_ms < 2000 ? stop_timeout_ms : 2000);
  }
  signal(SIGABRT, SIG_DFL);
  raise(SIGABRT);
}

void in_child() {
  orphan = orphan || running;
  running = false;
  mutex.reset();
}

bool start_session() {
  const char *const own = getenv("TACHY_FINSTRUMENT_SESSION");
  if (own && own[0] == '0') return true;
  const char *const url = getenv("TACHY_URL");
  if (url && !*url) return false;
  tachy_config config = {};
  config.sdk = "finstrument " TACHY_VERSION;
  char destination[TACHY_DESTINATION_SIZE];
  config.destination = tachy_http_destination(nullptr, destination, sizeof destination);
  config.pool_bytes = number("TACHY_POOL_BYTES", 0);
  stop_timeout_ms = number("TACHY_STOP_TIMEOUT_MS", 5000);
  if (tachy_start(&config) != TACHY_OK) return false;
  if (tachy_http_sender_start(nullptr, &http_sender) != TACHY_OK) {
    tachy_stop(0);
    return false;
  }
  const auto before = signal(SIGABRT, on_abort);
  if (before != SIG_DFL) signal(SIGABRT, before);
  // atexit, not a destructor: it must come before those of libcurl's TLS library, which depends on nothing of ours
  owner = process();
  atexit(finish);
#if defined(__GLIBC__)
  at_quick_exit(finish);
#endif
  return true;
}

// Slots for what the threads have, where they need some: before anything looks at them.
bool have_thread_values() {
#if defined(_WIN32)
  return local.open() && busy.open();
#else
  return true;
#endif
}

__attribute__((constructor(101))) void begin() {
  if (!have_thread_values()) {
    tachy::sender::complain("tachy: nothing is recorded: no thread-local storage is left\n");
    return;
  }
  busy = true;
  if (on_thread_end(release_local) && on_fork(in_child)) {
    TACHY_STORE_RELEASE(&running, start_session());
  }
  busy = false;
}

}  // namespace

void tachy::finstrument::record_on() {
  if (!orphan || running) return;
  orphan = false;
  busy = true;
  const bool started = start_session();
  TACHY_STORE_RELEASE(&running, started);
  if (!started) tachy::sender::complain("tachy: this daemon records nothing: its session did not start\n");
  busy = false;
}

// The hooks ---------------------------------------------------------------------------------------------------------

#define TACHY_HOOK extern "C" __attribute__((visibility("default"), no_instrument_function, hot))

TACHY_HOOK void __cyg_profile_func_enter(void *function_address, void *caller_address) {
  const std::uintptr_t function = reinterpret_cast<std::uintptr_t>(function_address);
  const std::uintptr_t frame = reinterpret_cast<std::uintptr_t>(TACHY_FRAME);
  const std::uintptr_t hook = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  const std::uintptr_t caller = reinterpret_cast<std::uintptr_t>(caller_address);
  tachy_thread *const thread = tachy_here_();
  Local *const mine = local;
  const std::uint32_t top = thread->top;
  if (TACHY_UNLIKELY(top >= thread->room || !mine)) {
    enter_slow(function, frame, hook, caller);
    return;
  }
  if (TACHY_UNLIKELY(entry_at(mine, top)->frame <= frame)) {
    enter_beside(function, frame, hook, caller);
    return;
  }
  enter(thread, mine, top, function, frame, hook, caller);
}

TACHY_HOOK void __cyg_profile_func_exit(void *function_address, void *) {
  const std::uintptr_t function = reinterpret_cast<std::uintptr_t>(function_address);
  const std::uintptr_t frame = reinterpret_cast<std::uintptr_t>(TACHY_FRAME);
  tachy_thread *const thread = tachy_here_();
  Local *const mine = local;
  const std::uint32_t top = thread->top;
  if (TACHY_UNLIKELY(top - TACHY_TOP_OF_(1) >= TACHY_TOP_MAX_ - TACHY_TOP_OF_(1) || !mine)) {
    exit_slow(function, frame);
    return;
  }
  const Entry *const entry = entry_at(mine, top);
  if (TACHY_UNLIKELY(entry->function != function || !is_ours(thread, mine, top) ||
                     (entry->frame < frame && entry[-1].frame < frame))) {
    exit_slow(function, frame);
    return;
  }
  const std::uint64_t now = tachy_ticks();
  tachy_span_enter_(thread);
  tachy_span_close_(thread, top, now);
  TACHY_STORE_RELEASE(&thread->top, top - step);
}
