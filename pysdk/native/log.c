/* Logs with a ready message: log(), which has a site for each call. */
#include "tachy_python.h"

int tpy_put_message(tachy_site *site, PyObject *message, PyObject *properties, int64_t utc, PyObject *thread) {
  const uint32_t set = properties == NULL ? 0 : tpy_property_number(properties);
  if (set == 0 && PyErr_Occurred()) return -1;
  PyObject *whole = NULL;
  if (set == 0 && properties != NULL && PyObject_IsTrue(properties) == 1) {
    whole = PyUnicode_FromFormat("%U %R", message, properties);
    PyErr_Clear();
  }
  Py_ssize_t size;
  const char *const text = tpy_text(whole != NULL ? whole : message, "message", &size);
  Py_ssize_t name_size;
  const char *const name = text == NULL || thread == NULL ? NULL : tpy_text(thread, "thread", &name_size);
  if (name != NULL) {
    tachy_log_text_at(site, set, tachy_ticks_of(utc), name, text, (size_t)size);
  } else if (text != NULL && thread == NULL) {
    tachy_log_text(site, set, text, (size_t)size);
  }
  Py_XDECREF(whole);
  return text == NULL || (thread != NULL && name == NULL) ? -1 : 0;
}

/* 1 … 6, or 0 with ValueError. */
static tachy_level level_of(PyObject *level) {
  static const char *const names[] = {"fatal", "error", "warn", "info", "debug", "trace"};
  if (PyLong_Check(level)) {
    const long number = PyLong_AsLong(level);
    if (number >= TACHY_LEVEL_FATAL && number <= TACHY_LEVEL_TRACE) return (tachy_level)number;
  } else if (PyUnicode_Check(level)) {
    for (int i = 0; i < 6; i++) {
      if (PyUnicode_CompareWithASCIIString(level, names[i]) == 0) return (tachy_level)(i + 1);
    }
  }
  PyErr_Clear();
  PyErr_Format(PyExc_ValueError, "a level is one of fatal, error, warn, info, debug, trace, not %R", level);
  return TACHY_LEVEL_NONE;
}

static tachy_site *intern(PyObject *level, PyObject *target) {
  const tachy_level number = level_of(level);
  if (number == TACHY_LEVEL_NONE) return NULL;
  const tpy_location location = tpy_find_location();
  if (target == NULL) target = location.module;
  return tpy_intern(TACHY_SITE_LOG, number, target, NULL, location.file, location.line, NULL);
}

PyObject *tpy_log(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  (void)module;
  PyObject *found[2] = {NULL, NULL};
  if (count != 2 || !PyUnicode_Check(args[1])) {
    return PyErr_Format(PyExc_TypeError,
                        "log() takes a level and a message: log(level, message, *, target=None, "
                        "properties=None)");
  }
  if (names != NULL) {
    PyObject *const keys[2] = {tpy_key_target, tpy_key_properties};
    if (tpy_keywords("log", args + 2, names, keys, 2, found) < 0) return NULL;
  }
  PyObject *code = NULL;
  const void *const instruction = tpy_caller(&code);
  tpy_call_site *entry = instruction == NULL ? NULL : tpy_find_call_site(instruction);
  tachy_site *site;
  if (entry != NULL && entry->name == args[0] && entry->target == found[0]) {
    site = entry->sites[0];
  } else {
    site = intern(args[0], found[0]);
    if (site == NULL) return NULL;
    if (instruction != NULL) entry = tpy_keep_call_site(instruction, code, args[0], found[0], NULL);
    if (entry != NULL) entry->sites[0] = site;
  }
  if (tpy_ready(site) && tpy_put_message(site, args[1], found[1], 0, NULL) < 0) return NULL;
  Py_RETURN_NONE;
}
