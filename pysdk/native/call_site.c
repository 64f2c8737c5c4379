/* Where a recording function was called from: the instruction finds a cached entry, once made it costs about 3 ns. */
#include "tachy_python.h"

#define FIRST_SIZE 1024u
#define SIZE_MAX_ 65536u /* beyond it the table starts anew: programs that make code without end must not leak it */

static struct {
  tpy_call_site *entries;
  size_t size; /* a power of two */
  size_t used;
} table;

const void *tpy_caller(PyObject **code) {
#if defined(TPY_INTERNALS)
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
  static PyObject *none;
  if (none == NULL) none = PyUnicode_InternFromString("");
  tpy_location location = {none, 0, none};
  PyFrameObject *const frame = PyThreadState_GetFrame(PyThreadState_Get());
  if (frame == NULL) return location;
  PyCodeObject *const code = PyFrame_GetCode(frame); /* the running frame holds it, and it its file's name */
  const int line = PyFrame_GetLineNumber(frame);
  location.line = line > 0 ? (uint32_t)line : 0;
  location.file = code->co_filename;
  PyObject *const globals = PyEval_GetGlobals(); /* borrowed */
  PyObject *const module = globals == NULL ? NULL : PyDict_GetItemString(globals, "__name__");
  if (module != NULL && PyUnicode_Check(module)) location.module = module;
  Py_DECREF(code);
  Py_DECREF(frame);
  return location;
}

const char *tpy_text(PyObject *text, const char *what, Py_ssize_t *size) {
  static PyObject *replaced[TPY_TEXTS];
  static unsigned next;
  if (!PyUnicode_Check(text)) {
    PyErr_Format(PyExc_TypeError, "%s must be str, not %.100s", what, Py_TYPE(text)->tp_name);
    return NULL;
  }
  const char *const direct = PyUnicode_AsUTF8AndSize(text, size);
  if (direct != NULL) return direct;
  PyErr_Clear();
  PyObject *const bytes = PyUnicode_AsEncodedString(text, "utf-8", "replace");
  if (bytes == NULL) return NULL;
  Py_XSETREF(replaced[next], bytes);
  next = (next + 1) % TPY_TEXTS;
  *size = PyBytes_GET_SIZE(bytes);
  return PyBytes_AS_STRING(bytes);
}

tachy_site *tpy_intern(tachy_site_kind kind, tachy_level level, PyObject *target, PyObject *name, PyObject *file,
                       uint32_t line, PyObject *unit) {
  static const char *const what[] = {"name", "target", "file", "unit"};
  PyObject *const given[] = {name, target, file, unit};
  const char *texts[4] = {NULL, NULL, NULL, NULL};
  Py_ssize_t size;
  for (int i = 0; i < 4; i++) {
    if (given[i] != NULL && (texts[i] = tpy_text(given[i], what[i], &size)) == NULL) return NULL;
  }
  tachy_site *const site = tachy_site_intern(kind, level, texts[1], texts[0], texts[2], line, texts[3]);
  if (site == NULL) PyErr_NoMemory();
  return site;
}

tachy_site *tpy_intern_at(const char *function, tachy_site_kind kind, PyObject *const *args, Py_ssize_t count) {
  if (count != 4) {
    PyErr_Format(PyExc_TypeError, "%s() takes name, target, file, line", function);
    return NULL;
  }
  const unsigned long line = PyLong_AsUnsignedLong(args[3]);
  if (PyErr_Occurred()) return NULL;
  return tpy_intern(kind, TACHY_LEVEL_NONE, args[1], args[0], args[2], (uint32_t)line, NULL);
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
