/* metric() and frame(). */
#include "tachy_python.h"

enum { WHOLE = 0, REAL = 1 }; /* index of tpy_call_site.sites */

/* The site of this call, kept for the next one. NULL with an exception. */
static tachy_site *find(const void *instruction, PyObject *code, PyObject *name, PyObject *target, PyObject *unit,
                        tachy_site_kind kind, int which) {
  tpy_call_site *entry = instruction == NULL ? NULL : tpy_find_call_site(instruction);
  const int same = entry != NULL && entry->name == name && entry->target == target && entry->unit == unit;
  if (TACHY_LIKELY(same && entry->sites[which] != NULL)) return entry->sites[which];
  const tpy_location location = tpy_find_location();
  tachy_site *const site = tpy_intern(kind, TACHY_LEVEL_NONE, target != NULL ? target : location.module, name,
                                      location.file, location.line, unit);
  if (site == NULL || instruction == NULL) return site;
  if (!same) entry = tpy_keep_call_site(instruction, code, name, target, unit);
  if (entry != NULL) entry->sites[which] = site;
  return site;
}

int tpy_as_double(PyObject *value, double *number) {
  *number = PyFloat_AsDouble(value);
  if (!(*number == -1.0 && PyErr_Occurred())) return 1;
  if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
    PyErr_Clear();
    *number = Py_SIZE(value) < 0 ? -Py_HUGE_VAL : Py_HUGE_VAL;
    return 1;
  }
  return 0;
}

int tpy_as_whole(PyObject *value, int64_t *whole) {
  if (PyFloat_Check(value) || !PyIndex_Check(value)) return 0;
  PyObject *const index = PyNumber_Index(value);
  int overflow = 1;
  if (index != NULL) *whole = (int64_t)PyLong_AsLongLongAndOverflow(index, &overflow);
  Py_XDECREF(index);
  PyErr_Clear();
  return overflow == 0;
}

PyObject *tpy_metric(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  (void)module;
  PyObject *found[3] = {NULL, NULL, NULL};
  if (TACHY_UNLIKELY(count != 2)) {
    return PyErr_Format(PyExc_TypeError,
                        "metric() takes a name and a value: metric(name, value, *, unit=None, "
                        "target=None, properties=None)");
  }
  if (names != NULL) {
    PyObject *const keys[3] = {tpy_key_unit, tpy_key_target, tpy_key_properties};
    if (tpy_keywords("metric", args + 2, names, keys, 3, found) < 0) return NULL;
  }
  PyObject *const value = args[1];
  int64_t whole = 0;
  double real = 0.0;
  int which = REAL;
  if (PyFloat_CheckExact(value)) {
    real = PyFloat_AS_DOUBLE(value);
  } else if (tpy_as_whole(value, &whole)) {
    which = WHOLE;
  } else if (!tpy_as_double(value, &real)) {
    return NULL;
  }
  PyObject *code = NULL;
  const void *const instruction = tpy_caller(&code);
  tachy_site *const site = find(instruction, code, args[0], found[1], found[0],
                                which == WHOLE ? TACHY_SITE_METRIC_INT : TACHY_SITE_METRIC_F64, which);
  if (site == NULL) return NULL;
  if (!tpy_ready(site)) Py_RETURN_NONE;
  uint32_t set = 0;
  if (found[2] != NULL) {
    set = tpy_property_number(found[2]);
    if (set == 0 && PyErr_Occurred()) return NULL;
  }
  if (which == WHOLE) {
    tachy_metric_int(site, set, whole);
  } else {
    tachy_metric_float(site, set, real);
  }
  Py_RETURN_NONE;
}

PyObject *tpy_frame(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  (void)module;
  static PyObject *usual;
  PyObject *target = NULL;
  if (count > 1) return PyErr_Format(PyExc_TypeError, "frame() takes one name: frame(name='frame', *, target=None)");
  if (names != NULL && tpy_keywords("frame", args + count, names, &tpy_key_target, 1, &target) < 0) return NULL;
  if (usual == NULL && (usual = PyUnicode_InternFromString("frame")) == NULL) return NULL;
  PyObject *code = NULL;
  const void *const instruction = tpy_caller(&code);
  tachy_site *const site = find(instruction, code, count == 1 ? args[0] : usual, target, NULL, TACHY_SITE_FRAME, WHOLE);
  if (site == NULL) return NULL;
  if (tpy_ready(site)) tachy_frame_mark(site);
  Py_RETURN_NONE;
}
