/* The calls that log through `logging`: (logger, level, file, line), each with the site of its ready messages and the
 * site of its format.
 *
 * A dict knows them all by value, so their number is the program's number of logging calls; a table in front of it
 * finds by identity those whose strings are the objects that they were the last time, as a logger's name and a code
 * object's file name are. */
#include "tachy_python.h"

enum { CACHE = 2048 };

typedef struct entry {
  PyObject *logger; /* strong */
  PyObject *file;   /* strong */
  unsigned long line;
  long level;
  tpy_log_call *call; /* NULL: free */
} entry;

static entry cache[CACHE];
static PyObject *calls; /* dict: (logger, level, file, line) -> capsule of the call */

static entry *cached(PyObject *logger, long level, PyObject *file, unsigned long line) {
  const uint64_t word =
      (uint64_t)(uintptr_t)logger * 31u + (uint64_t)(uintptr_t)file * 7u + (uint64_t)line * 64u + (uint64_t)level;
  return &cache[(word * UINT64_C(0x9E3779B97F4A7C15)) >> 32 & (CACHE - 1)];
}

static void capsule_free(PyObject *capsule) { PyMem_Free(PyCapsule_GetPointer(capsule, NULL)); }

static tpy_log_call *make(PyObject *key, PyObject *logger, long level, PyObject *file, unsigned long line) {
  tachy_site *const site = tpy_intern(TACHY_SITE_LOG, (tachy_level)level, logger, NULL, file, (uint32_t)line, NULL);
  tpy_log_call *const call = site == NULL ? NULL : PyMem_Calloc(1, sizeof *call);
  if (call == NULL) return site == NULL ? NULL : (tpy_log_call *)PyErr_NoMemory();
  call->text = site;
  PyObject *const capsule = PyCapsule_New(call, NULL, capsule_free);
  if (capsule == NULL) PyMem_Free(call);
  const int kept = capsule != NULL && PyDict_SetItem(calls, key, capsule) == 0;
  Py_XDECREF(capsule);
  return kept ? call : NULL;
}

/* By value. */
static tpy_log_call *look_up(PyObject *logger, long level, PyObject *file, unsigned long line) {
  if (calls == NULL && (calls = PyDict_New()) == NULL) return NULL;
  PyObject *const key = Py_BuildValue("(OlOk)", logger, level, file, line);
  if (key == NULL) return NULL;
  PyObject *const known = PyDict_GetItemWithError(calls, key);
  tpy_log_call *call = NULL;
  if (known != NULL) {
    call = PyCapsule_GetPointer(known, NULL);
  } else if (!PyErr_Occurred()) {
    call = make(key, logger, level, file, line);
  }
  Py_DECREF(key);
  return call;
}

tpy_log_call *tpy_find_log_call(PyObject *logger, long level, PyObject *file, PyObject *line) {
  const unsigned long number = PyLong_AsUnsignedLong(line);
  if (number == (unsigned long)-1 && PyErr_Occurred()) return NULL;
  entry *const at = cached(logger, level, file, number);
  if (TACHY_LIKELY(at->logger == logger && at->file == file && at->line == number && at->level == level)) {
    return at->call;
  }
  Py_INCREF(logger); /* comparing them may run somebody's code, if they are not quite str */
  Py_INCREF(file);
  tpy_log_call *const call = look_up(logger, level, file, number);
  const entry before = call == NULL ? (entry){logger, file, 0, 0, NULL} : *at;
  if (call != NULL) *at = (entry){logger, file, number, level, call};
  Py_XDECREF(before.logger);
  Py_XDECREF(before.file);
  return call;
}

int tpy_log_call_formats(tpy_log_call *call, PyObject *logger, long level, PyObject *file, PyObject *line,
                         PyObject *format) {
  if (TACHY_LIKELY(call->format == format)) return call->formatted != NULL;
  /* One format each: a wrapper that logs everybody's formats, or formats made at run time, would make sites without
   * end. */
  if (call->format != NULL) return call->formatted != NULL && PyUnicode_Compare(call->format, format) == 0;
  call->format = Py_NewRef(format);
  call->shape = tpy_read_format(format);
  if (call->shape.count == 0) return 0;
  call->formatted =
      tpy_intern(TACHY_SITE_LOG, (tachy_level)level, logger, format, file, (uint32_t)PyLong_AsUnsignedLong(line), NULL);
  PyErr_Clear(); /* the text site is there */
  return call->formatted != NULL;
}

/* log_at(logger, level, file, line, message, properties | None, UTC in nanoseconds, thread's name | None: here and now)
 */
PyObject *tpy_log_at(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  if (count != 8 || !PyUnicode_Check(args[4])) {
    return PyErr_Format(PyExc_TypeError, "log_at() takes logger, level, file, line, message, properties, time, thread");
  }
  const long level = PyLong_AsLong(args[1]);
  if (level < TACHY_LEVEL_FATAL || level > TACHY_LEVEL_TRACE) {
    return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "levels are 1 to 6");
  }
  const tpy_log_call *const call = tpy_find_log_call(args[0], level, args[2], args[3]);
  if (call == NULL) return NULL;
  PyObject *const properties = args[5] == Py_None ? NULL : args[5];
  PyObject *const thread = args[7] == Py_None ? NULL : args[7];
  const long long utc = thread == NULL ? 0 : PyLong_AsLongLong(args[6]);
  if (utc == -1 && PyErr_Occurred()) return NULL;
  const int on = thread == NULL ? tpy_ready(call->text) : tachy_site_on_(call->text) > 0;
  if (on && tpy_put_message(call->text, args[4], properties, utc, thread) < 0) return NULL;
  Py_RETURN_NONE;
}
