/* Values on spans: what Python has, as the recorder's numbers and texts. */
#include "tachy_python.h"

/* The site of a key: its target, file and line are those of the span. NULL with an exception. */
static tachy_site *site_of(PyObject **keys, const tachy_site *span, PyObject *key) {
  PyObject *const known = *keys == NULL ? NULL : PyDict_GetItemWithError(*keys, key);
  if (TACHY_LIKELY(known != NULL)) return PyLong_AsVoidPtr(known);
  if (PyErr_Occurred()) return NULL;
  Py_ssize_t size;
  const char *const name = tpy_text(key, "key", &size);
  if (name == NULL) return NULL;
  tachy_site *const site =
      tachy_site_intern(TACHY_SITE_VALUE, TACHY_LEVEL_NONE, span->target, name, span->file, span->line, NULL);
  if (site == NULL) {
    PyErr_NoMemory();
    return NULL;
  }
  PyObject *const kept = PyLong_FromVoidPtr(site);
  if (*keys == NULL) *keys = PyDict_New();
  if (kept == NULL || *keys == NULL || PyDict_SetItem(*keys, key, kept) < 0) PyErr_Clear(); /* only slower next time */
  Py_XDECREF(kept);
  return site;
}

static void put_bits(tpy_owner of, tachy_site *site, uint32_t type, uint64_t bits) {
  if (of.async != NULL) {
    tachy_async_value_(of.async, site, type, bits);
  } else {
    tachy_span_value_bits_(of.scope, site, type, bits);
  }
}

static int put_text(tpy_owner of, tachy_site *site, PyObject *value) {
  Py_ssize_t size;
  const char *const text = tpy_text(value, "value", &size);
  if (text == NULL) return -1;
  if (of.async != NULL) {
    tachy_async_value_text(of.async, site, text, (size_t)size);
  } else {
    tachy_span_value_text(of.scope, site, text, (size_t)size);
  }
  return 0;
}

/* 1: the value is a number, which has been put. */
static int put_number(tpy_owner of, tachy_site *site, PyObject *value) {
  int64_t whole;
  double real;
  if (PyBool_Check(value)) {
    put_bits(of, site, TACHY_VALUE_BOOL, value == Py_True);
    return 1;
  }
  if (tpy_as_whole(value, &whole)) {
    put_bits(of, site, TACHY_VALUE_I64, (uint64_t)whole);
    return 1;
  }
  if (PyLong_Check(value)) {
    const uint64_t large = PyLong_AsUnsignedLongLong(value);
    if (!PyErr_Occurred()) {
      put_bits(of, site, TACHY_VALUE_U64, large);
      return 1;
    }
    PyErr_Clear();
  }
  if (tpy_as_double(value, &real)) {
    put_bits(of, site, TACHY_VALUE_F64, tachy_bits_of_(real));
    return 1;
  }
  PyErr_Clear();
  return 0;
}

int tpy_put_value(PyObject **keys, const tachy_site *span, tpy_owner of, PyObject *key, PyObject *value) {
  if (value == Py_None) return 0;
  tachy_site *const site = site_of(keys, span, key);
  if (site == NULL) return -1;
  if (tachy_site_on_(site) <= 0) return 0;
  if (PyUnicode_Check(value)) return put_text(of, site, value);
  if (put_number(of, site, value)) return 0;
  PyObject *text = PyObject_Str(value);
  if (text == NULL && PyErr_ExceptionMatches(PyExc_Exception)) {
    PyErr_Clear(); /* a program does not fail for what it has recorded */
    text = PyUnicode_FromFormat("<unprintable %s object>", Py_TYPE(value)->tp_name);
  }
  const int status = text == NULL ? -1 : put_text(of, site, text);
  Py_XDECREF(text);
  return status;
}

int tpy_put_values(PyObject **keys, const tachy_site *span, tpy_owner of, PyObject *values) {
  Py_ssize_t at = 0;
  PyObject *key, *value;
  while (PyDict_Next(values, &at, &key, &value)) {
    if (tpy_put_value(keys, span, of, key, value) < 0) return -1;
  }
  return 0;
}

int tpy_put_flow(PyObject **keys, const tachy_site *span, tpy_owner of, PyObject *number) {
  PyObject *const whole = PyNumber_Index(number);
  if (whole == NULL) return -1;
  const uint64_t flow = PyLong_AsUnsignedLongLongMask(whole);
  Py_DECREF(whole);
  tachy_site *const site = site_of(keys, span, tpy_key_flow);
  if (site == NULL) return -1;
  put_bits(of, site, TACHY_VALUE_FLOW, flow);
  return 0;
}
