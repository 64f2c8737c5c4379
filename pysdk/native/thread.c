/* A thread's name, given when it records for the first time. */
#include "tachy_python.h"

PyObject *tpy_thread_namer;

void tpy_attach_thread(void) {
  if (tpy_thread_namer == NULL) return;
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  PyObject *const name = PyObject_CallNoArgs(tpy_thread_namer);
  if (name != NULL && PyUnicode_Check(name)) {
    Py_ssize_t size;
    const char *const text = tpy_text(name, "name", &size);
    if (text != NULL) tachy_set_thread_name(text);
  }
  Py_XDECREF(name);
  PyErr_Restore(type, value, trace); /* drops what went wrong in here: a missing name is no reason to fail */
}
