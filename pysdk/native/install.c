/* Puts our functions and types into the module that cffi made. */
#include "tachy_python.h"

PyObject *tpy_key_target, *tpy_key_unit, *tpy_key_properties, *tpy_key_args, *tpy_key_flow;

/* configure(thread_namer, decorator) */
static PyObject *configure(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  if (count != 2) return PyErr_Format(PyExc_TypeError, "configure() takes thread_namer and decorator");
  Py_XSETREF(tpy_thread_namer, Py_NewRef(args[0]));
  Py_XSETREF(tpy_decorator, Py_NewRef(args[1]));
  Py_RETURN_NONE;
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef functions[] = {
    {"configure", FAST(configure), METH_FASTCALL, NULL},
    {"span", FAST(tpy_make_span), METH_FASTCALL | METH_KEYWORDS,
     "span(name, *, target=None, args=(), **values)\n--\n\nA Span at this call, for `with` or as a decorator; bare, "
     "`@span` decorates. values are on each span of it, and so are the arguments for the parameters named in args."},
    {"span_at", FAST(tpy_span_at), METH_FASTCALL, NULL},
    {"function", FAST(tpy_make_function), METH_FASTCALL, NULL},
    {"begin", tpy_begin, METH_O, "begin(span, /)\n--\n\nBegins a span; returns the scope that end() wants."},
    {"end", tpy_end, METH_O, "end(scope, /)\n--\n\nEnds the span that begin() began, on the same thread."},
    {"async_site", FAST(tpy_async_site), METH_FASTCALL, NULL},
    {"async_begin", FAST(tpy_async_begin), METH_FASTCALL, NULL},
    {"async_end", tpy_async_end, METH_O, NULL},
    {"async_value", FAST(tpy_async_value), METH_FASTCALL, NULL},
    {"async_flow", FAST(tpy_async_flow), METH_FASTCALL, NULL},
    {"metric", FAST(tpy_metric), METH_FASTCALL | METH_KEYWORDS,
     "metric(name, value, *, unit=None, target=None, properties=None)\n--\n\nRecords a number; int and float are kept "
     "as they are."},
    {"frame", FAST(tpy_frame), METH_FASTCALL | METH_KEYWORDS,
     "frame(name='frame', *, target=None)\n--\n\nThe end of a frame: a metric, the time since this thread's last one."},
    {"log", FAST(tpy_log), METH_FASTCALL | METH_KEYWORDS,
     "log(level, message, *, target=None, properties=None)\n--\n\nRecords a message; level is fatal, error, warn, "
     "info, "
     "debug or trace."},
    {"log_at", FAST(tpy_log_at), METH_FASTCALL, NULL},
    {"configure_logging", FAST(tpy_configure_logging), METH_FASTCALL, NULL},
    {"properties", tpy_make_properties, METH_O,
     "properties(mapping, /)\n--\n\nA set of properties that is looked up once, for metrics in hot loops."},
    {NULL, NULL, 0, NULL}};

static int add_type(PyObject *module, const char *name, PyTypeObject *type) {
  if (PyType_Ready(type) < 0) return -1;
  return PyObject_SetAttrString(module, name, (PyObject *)type);
}

static int install(PyObject *module) {
  static PyObject **const keys[] = {&tpy_key_target, &tpy_key_unit, &tpy_key_properties, &tpy_key_args, &tpy_key_flow};
  static const char *const texts[] = {"target", "unit", "properties", "args", "flow"};
  for (int i = 0; i < 5; i++) {
    if ((*keys[i] = PyUnicode_InternFromString(texts[i])) == NULL) return -1;
  }
  PyObject *const name = PyUnicode_FromString("tachy");
  if (name == NULL) return -1;
  for (PyMethodDef *def = functions; def->ml_name != NULL; def++) {
    PyObject *const function = PyCFunction_NewEx(def, NULL, name);
    if (function == NULL || PyObject_SetAttrString(module, def->ml_name, function) < 0) return -1;
    Py_DECREF(function);
  }
  Py_DECREF(name);
  if (PyModule_AddStringConstant(module, "version", TACHY_VERSION) < 0) return -1;
  if (tpy_add_handler(module) < 0) return -1;
  if (tpy_span_ready() < 0 || add_type(module, "Span", &tpy_span_type) < 0) return -1;
  if (add_type(module, "SpanFunction", &tpy_function_type) < 0) return -1;
  if (add_type(module, "AsyncHandle", &tpy_async_type) < 0) return -1;
  return add_type(module, "Properties", &tpy_properties_type);
}

/* Called through cffi, so without the GIL. Returns 0, or -1 after having printed why. */
int tachy_python_install(const char *module_name) {
  const PyGILState_STATE state = PyGILState_Ensure();
  PyObject *const module = PyImport_ImportModule(module_name);
  const int status = module == NULL ? -1 : install(module);
  if (status < 0) PyErr_Print();
  Py_XDECREF(module);
  PyGILState_Release(state);
  return status;
}
