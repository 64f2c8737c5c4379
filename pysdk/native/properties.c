/* Properties of logs and metrics: a mapping becomes a number, once per distinct content. */
#include "tachy_python.h"

#define PAIRS_MAX 32

static PyObject *numbers; /* dict: tuple of str (key, value, …) -> int */

/* str(value), or the str itself: a new reference. What cannot be printed becomes "?": no reason to lose the event. */
static PyObject *as_text(PyObject *value) {
  if (PyUnicode_CheckExact(value)) return Py_NewRef(value);
  PyObject *const text = PyObject_Str(value);
  if (text != NULL || !PyErr_ExceptionMatches(PyExc_Exception)) return text;
  PyErr_Clear();
  return PyUnicode_FromString("?");
}

/* (key, value, key, value, …) of a mapping, all str, at most PAIRS_MAX pairs. */
static PyObject *flatten(PyObject *mapping) {
  if (!PyMapping_Check(mapping) || PyUnicode_Check(mapping) || PyList_Check(mapping) || PyTuple_Check(mapping)) {
    PyErr_Format(PyExc_TypeError, "properties must be a mapping or tachy.Properties, not %.100s",
                 Py_TYPE(mapping)->tp_name);
    return NULL;
  }
  PyObject *const items = PyMapping_Items(mapping);
  if (items == NULL) return NULL;
  Py_ssize_t count = PyList_GET_SIZE(items);
  if (count > PAIRS_MAX) count = PAIRS_MAX;
  PyObject *flat = PyTuple_New(count * 2);
  for (Py_ssize_t i = 0; flat != NULL && i < count * 2; i++) {
    PyObject *const pair = PyList_GET_ITEM(items, i / 2);
    PyObject *text = NULL;
    if (PyTuple_CheckExact(pair) && PyTuple_GET_SIZE(pair) == 2) {
      text = as_text(PyTuple_GET_ITEM(pair, i % 2));
    } else {
      PyErr_SetString(PyExc_TypeError, "properties must be a mapping whose items() are pairs");
    }
    if (text == NULL) {
      Py_CLEAR(flat);
    } else {
      PyTuple_SET_ITEM(flat, i, text);
    }
  }
  Py_DECREF(items);
  return flat;
}

/* The recorder's number for a flat tuple; 0 when the recorder has no room for more sets. */
static uint32_t number_of(PyObject *flat) {
  if (numbers == NULL && (numbers = PyDict_New()) == NULL) return 0;
  PyObject *const known = PyDict_GetItemWithError(numbers, flat);
  if (known != NULL) return (uint32_t)PyLong_AsUnsignedLong(known);
  if (PyErr_Occurred()) return 0;
  const size_t count = (size_t)PyTuple_GET_SIZE(flat) / 2u;
  tachy_property pairs[PAIRS_MAX]; /* twice as many texts at once, at most TPY_TEXTS */
  for (size_t i = 0; i < count; i++) {
    Py_ssize_t size;
    pairs[i].key = tpy_text(PyTuple_GET_ITEM(flat, (Py_ssize_t)i * 2), "property", &size);
    if (pairs[i].key == NULL) return 0;
    pairs[i].value = tpy_text(PyTuple_GET_ITEM(flat, (Py_ssize_t)i * 2 + 1), "property", &size);
    if (pairs[i].value == NULL) return 0;
  }
  const uint32_t number = tachy_property_set(pairs, count);
  if (number == 0) return 0;
  PyObject *const value = PyLong_FromUnsignedLong(number);
  if (value == NULL || PyDict_SetItem(numbers, flat, value) < 0) PyErr_Clear(); /* only slower the next time */
  Py_XDECREF(value);
  return number;
}

uint32_t tpy_property_number(PyObject *properties) {
  if (properties == NULL || properties == Py_None) return 0;
  if (Py_TYPE(properties) == &tpy_properties_type) return ((tpy_properties *)properties)->number;
  PyObject *const flat = flatten(properties);
  if (flat == NULL) return 0;
  const uint32_t number = PyTuple_GET_SIZE(flat) == 0 ? 0 : number_of(flat);
  Py_DECREF(flat);
  return number;
}

PyObject *tpy_make_properties(PyObject *module, PyObject *mapping) {
  (void)module;
  PyObject *const flat = flatten(mapping);
  if (flat == NULL) return NULL;
  const uint32_t number = PyTuple_GET_SIZE(flat) == 0 ? 0 : number_of(flat);
  tpy_properties *const self = PyErr_Occurred() ? NULL : PyObject_New(tpy_properties, &tpy_properties_type);
  if (self == NULL) {
    Py_DECREF(flat);
    return NULL;
  }
  self->pairs = flat;
  self->number = number;
  return (PyObject *)self;
}

static void properties_dealloc(PyObject *object) {
  Py_DECREF(((tpy_properties *)object)->pairs);
  PyObject_Free(object);
}

static PyObject *properties_repr(PyObject *object) {
  return PyUnicode_FromFormat("<tachy.Properties %R>", ((tpy_properties *)object)->pairs);
}

PyTypeObject tpy_properties_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "tachy.Properties",
    .tp_doc = "A set of properties that is looked up once; made by tachy.properties().",
    .tp_basicsize = sizeof(tpy_properties),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = properties_dealloc,
    .tp_repr = properties_repr,
};
