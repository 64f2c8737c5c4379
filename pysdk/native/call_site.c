/* Where a recording function was called from: the instruction finds a cached entry, once made it costs about 3 ns. */
#include "tachy_python.h"

/* CPython 3.11 has the calling instruction in a struct whose header is internal but frozen for the life of 3.11. Later
 * versions go through public functions, which make a frame object. */
#if PY_VERSION_HEX < 0x030C0000 && !defined(TACHY_PUBLIC_FRAMES)
#define TACHY_INTERNAL_FRAMES 1
#define Py_BUILD_CORE 1
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif
#include <internal/pycore_frame.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#undef Py_BUILD_CORE
#endif

#define FIRST_SIZE 1024u
#define SIZE_MAX_ 65536u /* beyond it the table starts anew: programs that make code without end must not leak it */

static struct {
  tpy_call_site *entries;
  size_t size; /* a power of two */
  size_t used;
} table;

const void *tpy_caller(PyObject **code) {
#if defined(TACHY_INTERNAL_FRAMES)
  const PyThreadState *const state = PyThreadState_Get();
  const _PyInterpreterFrame *const frame = state->cframe->current_frame;
  if (frame == NULL) return NULL;
  *code = (PyObject *)frame->f_code;
  return frame->prev_instr;
#else
  PyFrameObject *const frame = PyThreadState_GetFrame(PyThreadState_Get());
  if (frame == NULL) return NULL;
  PyCodeObject *const owner = PyFrame_GetCode(frame);
  const int last = PyFrame_GetLasti(frame);
  Py_DECREF(frame);
  *code = (PyObject *)owner;
  Py_DECREF(owner); /* the running frame holds it */
  /* unique while the code object lives: instructions take two bytes, the object is far larger than its bytecode */
  return (const char *)owner + last;
#endif
}

static size_t slot_of(const void *instruction, size_t size) {
  return (size_t)(((uint64_t)(uintptr_t)instruction * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (size - 1u);
}

tpy_call_site *tpy_find_call_site(const void *instruction) {
  if (TACHY_UNLIKELY(table.size == 0)) return NULL;
  for (size_t i = slot_of(instruction, table.size);; i = (i + 1u) & (table.size - 1u)) {
    tpy_call_site *const entry = &table.entries[i];
    if (TACHY_LIKELY(entry->instruction == instruction)) return entry;
    if (entry->instruction == NULL) return NULL;
  }
}

static void release(tpy_call_site *entry) {
  Py_XDECREF(entry->code);
  Py_XDECREF(entry->name);
  Py_XDECREF(entry->target);
  Py_XDECREF(entry->unit);
  Py_XDECREF(entry->object);
}

static tpy_call_site *free_slot(const void *instruction) {
  size_t i = slot_of(instruction, table.size);
  while (table.entries[i].instruction != NULL) i = (i + 1u) & (table.size - 1u);
  return &table.entries[i];
}

/* Room for one more entry, at most half full. Dropped objects are released at the end: their destructors may run
 * Python code that comes here again. */
static int make_room(void) {
  if (table.size != 0 && table.used * 2u < table.size) return 1;
  const size_t old_size = table.size;
  tpy_call_site *const old = table.entries;
  const int drop = old_size >= SIZE_MAX_;
  const size_t size = old_size == 0 ? FIRST_SIZE : drop ? old_size : old_size * 2u;
  tpy_call_site *const entries = PyMem_Calloc(size, sizeof(*entries));
  if (entries == NULL) return 0;
  table.entries = entries;
  table.size = size;
  table.used = drop ? 0 : table.used;
  for (size_t i = 0; i < old_size; i++) {
    if (old[i].instruction == NULL) continue;
    if (!drop) *free_slot(old[i].instruction) = old[i];
  }
  if (drop) {
    for (size_t i = 0; i < old_size; i++) release(&old[i]);
  }
  PyMem_Free(old);
  return 1;
}

tpy_call_site *tpy_keep_call_site(const void *instruction, PyObject *code, PyObject *name, PyObject *target,
                                  PyObject *unit) {
  tpy_call_site before = {0};
  tpy_call_site *entry = tpy_find_call_site(instruction);
  if (entry != NULL) {
    before = *entry;
  } else {
    if (!make_room()) return NULL;
    entry = free_slot(instruction);
    table.used++;
  }
  *entry = (tpy_call_site){.instruction = instruction,
                           .code = Py_NewRef(code),
                           .name = Py_NewRef(name),
                           .target = Py_XNewRef(target),
                           .unit = Py_XNewRef(unit)};
  release(&before); /* nothing of it runs Python code: str, code, and a span, whose parts are str */
  return entry;
}

tpy_location tpy_find_location(void) {
  tpy_location location = {"", 0, ""};
  PyFrameObject *const frame = PyThreadState_GetFrame(PyThreadState_Get());
  if (frame == NULL) return location;
  PyCodeObject *const code = PyFrame_GetCode(frame);
  const int line = PyFrame_GetLineNumber(frame);
  location.line = line > 0 ? (uint32_t)line : 0;
  const char *const file = PyUnicode_AsUTF8(code->co_filename);
  if (file != NULL) location.file = file;
  PyObject *const globals = PyEval_GetGlobals(); /* borrowed */
  PyObject *const module = globals == NULL ? NULL : PyDict_GetItemString(globals, "__name__");
  if (module != NULL && PyUnicode_Check(module)) {
    const char *const text = PyUnicode_AsUTF8(module);
    if (text != NULL) location.module = text;
  }
  PyErr_Clear();
  Py_DECREF(code);
  Py_DECREF(frame);
  return location;
}

const char *tpy_text(PyObject *text, const char *what, Py_ssize_t *size, PyObject **keep) {
  *keep = NULL;
  if (!PyUnicode_Check(text)) {
    PyErr_Format(PyExc_TypeError, "%s must be str, not %.100s", what, Py_TYPE(text)->tp_name);
    return NULL;
  }
  const char *const direct = PyUnicode_AsUTF8AndSize(text, size);
  if (direct != NULL) return direct;
  PyErr_Clear();
  *keep = PyUnicode_AsEncodedString(text, "utf-8", "replace");
  if (*keep == NULL) return NULL;
  *size = PyBytes_GET_SIZE(*keep);
  return PyBytes_AS_STRING(*keep);
}

int tpy_keywords(const char *function, PyObject *const *values, PyObject *names, PyObject *const *keys,
                 size_t key_count, PyObject **found) {
  for (size_t k = 0; k < key_count; k++) found[k] = NULL;
  if (names == NULL) return 0;
  const Py_ssize_t count = PyTuple_GET_SIZE(names);
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject *const name = PyTuple_GET_ITEM(names, i);
    size_t k = 0;
    while (k < key_count && keys[k] != name) k++;
    for (size_t j = 0; k == key_count && j < key_count; j++) {
      if (PyUnicode_Compare(keys[j], name) == 0) k = j; /* not interned: made by **kwargs */
    }
    if (k == key_count) {
      PyErr_Format(PyExc_TypeError, "%s() has no argument %R", function, name);
      return -1;
    }
    found[k] = values[i] == Py_None ? NULL : values[i];
  }
  return 0;
}
