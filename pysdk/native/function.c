/* A decorated function: begin, call, end, without a Python frame of our own. */
#include "tachy_python.h"

typedef struct function {
  PyObject ob_base;
  PyObject *wrapped;
  tachy_site *site;
  tpy_span *span;
  PyObject *values; /* tuple of (key, the index of its parameter or -1, value without an argument), or NULL: none */
  PyObject *dict;   /* __name__, __doc__, __wrapped__ …: functools.update_wrapper fills it */
  PyObject *weak;
  vectorcallfunc call;
} function;

/* The call's argument for the parameter; NULL: it has none. */
static PyObject *argument(PyObject *name, Py_ssize_t index, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  if (index < count) return args[index];
  for (Py_ssize_t i = 0; names != NULL && i < PyTuple_GET_SIZE(names); i++) {
    PyObject *const other = PyTuple_GET_ITEM(names, i);
    if (other == name || PyUnicode_Compare(other, name) == 0) return args[count + i];
  }
  return NULL;
}

static int put_values(const function *self, tachy_scope scope, PyObject *const *args, Py_ssize_t count,
                      PyObject *names) {
  const tpy_owner owner = {scope, NULL};
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->values); i++) {
    PyObject *const entry = PyTuple_GET_ITEM(self->values, i);
    PyObject *const key = PyTuple_GET_ITEM(entry, 0);
    const Py_ssize_t index = PyLong_AsSsize_t(PyTuple_GET_ITEM(entry, 1));
    PyObject *value = index < 0 ? NULL : argument(key, index, args, count, names);
    if (value == NULL) value = PyTuple_GET_ITEM(entry, 2);
    if (tpy_put_value(&self->span->keys, self->span->site, owner, key, value) < 0) return -1;
  }
  return 0;
}

static PyObject *call(PyObject *object, PyObject *const *args, size_t count, PyObject *names) {
  const function *const self = (function *)object;
  tachy_site *const site = self->site;
  if (!tpy_ready(site)) return PyObject_Vectorcall(self->wrapped, args, count, names);
  const tachy_scope scope = tachy_span_begin(site);
  PyObject *result = NULL;
  if (TACHY_LIKELY(self->values == NULL) || put_values(self, scope, args, PyVectorcall_NARGS(count), names) == 0) {
    result = PyObject_Vectorcall(self->wrapped, args, count, names);
  }
  tachy_span_end(scope);
  return result;
}

PyObject *tpy_make_function(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  if (count != 3 || Py_TYPE(args[0]) != &tpy_span_type || !PyCallable_Check(args[1]) || !PyTuple_Check(args[2])) {
    return PyErr_Format(PyExc_TypeError, "function() takes a Span, a callable and a tuple");
  }
  function *const self = PyObject_GC_New(function, &tpy_function_type);
  if (self == NULL) return NULL;
  self->wrapped = Py_NewRef(args[1]);
  self->site = ((tpy_span *)args[0])->site;
  self->span = (tpy_span *)Py_NewRef(args[0]);
  self->values = PyTuple_GET_SIZE(args[2]) == 0 ? NULL : Py_NewRef(args[2]);
  self->dict = NULL;
  self->weak = NULL;
  self->call = call;
  PyObject_GC_Track(self);
  return (PyObject *)self;
}

static int traverse(PyObject *object, visitproc visit, void *arg) {
  const function *const self = (function *)object;
  Py_VISIT(self->wrapped);
  Py_VISIT(self->span);
  Py_VISIT(self->values);
  Py_VISIT(self->dict);
  return 0;
}

/* Keeps `wrapped`: a function that is called while its cycle is collected still works. The cycle breaks at the dict and
 * at the wrapped function's own parts. */
static int clear(PyObject *object) {
  Py_CLEAR(((function *)object)->dict);
  return 0;
}

static void dealloc(PyObject *object) {
  function *const self = (function *)object;
  PyObject_GC_UnTrack(self);
  if (self->weak != NULL) PyObject_ClearWeakRefs(object);
  Py_CLEAR(self->dict);
  Py_CLEAR(self->wrapped);
  Py_CLEAR(self->span);
  Py_CLEAR(self->values);
  PyObject_GC_Del(self);
}

static PyObject *get(PyObject *self, PyObject *instance, PyObject *owner) {
  (void)owner;
  return instance == NULL || instance == Py_None ? Py_NewRef(self) : PyMethod_New(self, instance);
}

static PyObject *repr(PyObject *object) {
  return PyUnicode_FromFormat("<tachy span of %R>", ((function *)object)->wrapped);
}

/* Pickled and copied by name, as plain functions are. */
static PyObject *reduce(PyObject *self, PyObject *unused) {
  (void)unused;
  return PyObject_GetAttrString(self, "__qualname__");
}

/* What the wrapped callable has beyond a function, such as cache_clear of functools.cache. */
static PyObject *getattro(PyObject *object, PyObject *name) {
  PyObject *const found = PyObject_GenericGetAttr(object, name);
  if (found != NULL || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
  PyErr_Clear();
  return PyObject_GetAttr(((function *)object)->wrapped, name);
}

static PyMethodDef methods[] = {{"__reduce__", reduce, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};

static PyGetSetDef getset[] = {{"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
                               {NULL, NULL, NULL, NULL, NULL}};

PyTypeObject tpy_function_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "tachy.SpanFunction",
    .tp_doc = "A function whose calls are spans.",
    .tp_basicsize = sizeof(function),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR |
                Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = traverse,
    .tp_clear = clear,
    .tp_dealloc = dealloc,
    .tp_repr = repr,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(function, call),
    .tp_getattro = getattro,
    .tp_descr_get = get,
    .tp_dictoffset = offsetof(function, dict),
    .tp_weaklistoffset = offsetof(function, weak),
    .tp_methods = methods,
    .tp_getset = getset,
};
