/* Spans: begin() and end(), and the Span object for `with` and for decorators.
 *
 * A Span has no state of its own, so threads and recursion share it: what is open is on the recorder's shadow stack. On
 * leaving, the innermost open span of the same site is ended.
 */
#include "tachy_python.h"

PyObject *tpy_decorator;

/* Spans that the calling thread opened while the shadow stack was full; they are not on it. */
static TACHY_THREAD_LOCAL uint32_t unstacked;

static tachy_scope begin(tachy_site *site) {
  if (!tpy_ready(site)) return 0;
  const tachy_scope scope = tachy_span_begin(site);
  if (TACHY_UNLIKELY(scope == 0 || scope == TACHY_DEPTH_MAX)) {
    if (scope != 0) {
      unstacked = 0;
    } else if (tachy_here_() != &tachy_no_thread_ && tachy_here_()->depth == TACHY_DEPTH_MAX) {
      unstacked++;
    }
  }
  return scope;
}

/* The innermost open span of this site, when it is not the last one that was opened. */
static Py_NO_INLINE void end_below(const tachy_site *site, uint32_t id) {
  const tachy_thread *const thread = tachy_here_();
  if (thread == &tachy_no_thread_ || site->id == 0) return;
  uint32_t depth = thread->depth;
  if (depth > TACHY_DEPTH_MAX) return;
  if (depth == TACHY_DEPTH_MAX && unstacked > 0) {
    unstacked--;
    return;
  }
  for (; depth > 0; depth--) {
    if (thread->stack[depth - 1u].site == id) {
      tachy_span_end(depth);
      return;
    }
  }
}

static void end_innermost(const tachy_site *site) {
  const int32_t number = TACHY_LOAD(&site->id);
  const uint32_t id = number < 0 ? 0u - (uint32_t)number : (uint32_t)number; /* switched off: its negative */
  const tachy_thread *const thread = tachy_here_();
  const uint32_t top = thread->depth - 1u;
  if (TACHY_LIKELY(top < TACHY_DEPTH_MAX - 1u && thread->stack[top].site == id)) {
    tachy_span_end(top + 1u);
    return;
  }
  end_below(site, id);
}

PyObject *tpy_begin(PyObject *module, PyObject *span) {
  (void)module;
  if (TACHY_UNLIKELY(Py_TYPE(span) != &tpy_span_type)) {
    return PyErr_Format(PyExc_TypeError, "begin() wants a Span made by tachy.span(), not %.100s",
                        Py_TYPE(span)->tp_name);
  }
  return PyLong_FromLong((long)begin(((tpy_span *)span)->site));
}

PyObject *tpy_end(PyObject *module, PyObject *scope) {
  (void)module;
  const unsigned long value = PyLong_AsUnsignedLong(scope);
  if (TACHY_UNLIKELY(value > TACHY_DEPTH_MAX)) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "end() wants what begin() returned");
    return NULL;
  }
  if (TACHY_LIKELY(tachy_here_() != &tachy_no_thread_)) tachy_span_end((tachy_scope)value);
  Py_RETURN_NONE;
}

/* Making them ---------------------------------------------------------------------------------------------------- */

static PyObject *span_enter(PyObject *self, PyObject *unused) {
  (void)unused;
  begin(((tpy_span *)self)->site);
  return Py_NewRef(self);
}

static PyObject *span_exit(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  (void)args;
  (void)count;
  end_innermost(((tpy_span *)self)->site);
  Py_RETURN_NONE;
}

static PyMethodDef enter_method = {"__enter__", span_enter, METH_NOARGS, NULL};
static PyMethodDef exit_method = {"__exit__", (PyCFunction)(void (*)(void))span_exit, METH_FASTCALL, NULL};

/* name, target, file: borrowed str. */
static PyObject *span_new(PyObject *name, PyObject *target, PyObject *file, uint32_t line) {
  Py_ssize_t size;
  PyObject *keep[3] = {NULL, NULL, NULL};
  tachy_site *site = NULL;
  const char *const name_text = tpy_text(name, "name", &size, &keep[0]);
  const char *const target_text = name_text == NULL ? NULL : tpy_text(target, "target", &size, &keep[1]);
  const char *const file_text = target_text == NULL ? NULL : tpy_text(file, "file", &size, &keep[2]);
  if (file_text != NULL) {
    site = tachy_site_intern(TACHY_SITE_SPAN, TACHY_LEVEL_NONE, target_text, name_text, file_text, line, NULL);
    if (site == NULL) PyErr_NoMemory();
  }
  for (int i = 0; i < 3; i++) Py_XDECREF(keep[i]);
  if (site == NULL) return NULL;
  tpy_span *const self = PyObject_GC_New(tpy_span, &tpy_span_type);
  if (self == NULL) return NULL;
  self->site = site;
  self->name = Py_NewRef(name);
  self->target = Py_NewRef(target);
  self->file = Py_NewRef(file);
  self->line = line;
  self->enter = PyCFunction_New(&enter_method, (PyObject *)self);
  self->exit = PyCFunction_New(&exit_method, (PyObject *)self);
  PyObject_GC_Track(self);
  if (self->enter != NULL && self->exit != NULL) return (PyObject *)self;
  Py_DECREF(self);
  return NULL;
}

PyObject *tpy_span_at(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  if (count != 4) return PyErr_Format(PyExc_TypeError, "span_at() takes name, target, file, line");
  const unsigned long line = PyLong_AsUnsignedLong(args[3]);
  if (PyErr_Occurred()) return NULL;
  return span_new(args[0], args[1], args[2], (uint32_t)line);
}

static Py_NO_INLINE PyObject *make_slowly(const void *instruction, PyObject *code, PyObject *name, PyObject *target) {
  if (!PyUnicode_Check(name)) {
    if (!PyCallable_Check(name)) {
      return PyErr_Format(PyExc_TypeError, "span() wants a name or a function, not %.100s", Py_TYPE(name)->tp_name);
    }
    if (tpy_decorator == NULL) return PyErr_Format(PyExc_RuntimeError, "tachy is not imported");
    return PyObject_CallFunctionObjArgs(tpy_decorator, target == NULL ? Py_None : target, name, NULL);
  }
  const tpy_place place = tpy_calling_place();
  PyObject *const module = target != NULL ? Py_NewRef(target) : PyUnicode_FromString(place.module);
  PyObject *const file = PyUnicode_FromString(place.file);
  PyObject *span = NULL;
  if (module != NULL && file != NULL) span = span_new(name, module, file, place.line);
  Py_XDECREF(module);
  Py_XDECREF(file);
  if (span == NULL || instruction == NULL) return span;
  tpy_call_site *const entry = tpy_keep_call_site(instruction, code, name, target, NULL);
  if (entry != NULL) entry->object = Py_NewRef(span);
  return span;
}

PyObject *tpy_make_span(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  (void)module;
  PyObject *target = NULL;
  if (TACHY_UNLIKELY(count != 1)) {
    return PyErr_Format(PyExc_TypeError, "span() takes one name, or one function: span(name, *, target=None)");
  }
  if (names != NULL && tpy_keywords("span", args + 1, names, &tpy_key_target, 1, &target) < 0) return NULL;
  PyObject *code = NULL;
  const void *const instruction = tpy_caller(&code);
  const tpy_call_site *const entry = instruction == NULL ? NULL : tpy_find_call_site(instruction);
  if (TACHY_LIKELY(entry != NULL && entry->name == args[0] && entry->target == target && entry->object != NULL)) {
    return Py_NewRef(entry->object);
  }
  return make_slowly(instruction, code, args[0], target);
}

/* __enter__ and __exit__ of the type: a descriptor that gives the method that each Span has bound already. */
typedef struct special {
  PyObject ob_base;
  size_t offset; /* of the bound method in tpy_span */
} special;

static PyObject *special_get(PyObject *object, PyObject *span, PyObject *owner) {
  (void)owner;
  if (span == NULL || Py_TYPE(span) != &tpy_span_type) return Py_NewRef(object);
  PyObject *const method = *(PyObject **)((char *)span + ((special *)object)->offset);
  if (method == NULL) PyErr_SetString(PyExc_RuntimeError, "this Span is being destroyed");
  return Py_XNewRef(method);
}

/* type(span).__enter__(span), as contextlib.ExitStack does it. */
static PyObject *special_call(PyObject *object, PyObject *args, PyObject *kwargs) {
  if (PyTuple_GET_SIZE(args) < 1 || Py_TYPE(PyTuple_GET_ITEM(args, 0)) != &tpy_span_type) {
    return PyErr_Format(PyExc_TypeError, "a method of Span needs a Span");
  }
  PyObject *const method = special_get(object, PyTuple_GET_ITEM(args, 0), NULL);
  PyObject *const rest = method == NULL ? NULL : PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
  PyObject *const result = rest == NULL ? NULL : PyObject_Call(method, rest, kwargs);
  Py_XDECREF(rest);
  Py_XDECREF(method);
  return result;
}

static PyTypeObject special_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "tachy._native.SpanMethod",
    .tp_basicsize = sizeof(special),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)PyObject_Free,
    .tp_descr_get = special_get,
    .tp_call = special_call,
};

static int add_special(const char *name, size_t offset) {
  special *const object = PyObject_New(special, &special_type);
  if (object == NULL) return -1;
  object->offset = offset;
  const int status = PyDict_SetItemString(tpy_span_type.tp_dict, name, (PyObject *)object);
  Py_DECREF(object);
  return status;
}

int tpy_span_ready(void) {
  if (PyType_Ready(&special_type) < 0 || PyType_Ready(&tpy_span_type) < 0) return -1;
  if (add_special("__enter__", offsetof(tpy_span, enter)) < 0) return -1;
  if (add_special("__exit__", offsetof(tpy_span, exit)) < 0) return -1;
  PyType_Modified(&tpy_span_type);
  return 0;
}

/* The type -------------------------------------------------------------------------------------------------------- */

static int span_traverse(PyObject *object, visitproc visit, void *arg) {
  const tpy_span *const self = (tpy_span *)object;
  Py_VISIT(self->enter);
  Py_VISIT(self->exit);
  return 0;
}

static int span_clear(PyObject *object) {
  tpy_span *const self = (tpy_span *)object;
  Py_CLEAR(self->enter);
  Py_CLEAR(self->exit);
  return 0;
}

static void span_dealloc(PyObject *object) {
  tpy_span *const self = (tpy_span *)object;
  PyObject_GC_UnTrack(self);
  span_clear(object);
  Py_DECREF(self->name);
  Py_DECREF(self->target);
  Py_DECREF(self->file);
  PyObject_GC_Del(self);
}

static PyObject *span_repr(PyObject *object) {
  const tpy_span *const self = (tpy_span *)object;
  return PyUnicode_FromFormat("<tachy.Span %R %U:%u>", self->name, self->file, (unsigned)self->line);
}

/* Span(function): as a decorator. */
static PyObject *span_call(PyObject *object, PyObject *args, PyObject *kwargs) {
  if (PyTuple_GET_SIZE(args) != 1 || (kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0)) {
    return PyErr_Format(PyExc_TypeError, "a Span is called with the function that it decorates");
  }
  if (tpy_decorator == NULL) return PyErr_Format(PyExc_RuntimeError, "tachy is not imported");
  return PyObject_CallFunctionObjArgs(tpy_decorator, object, PyTuple_GET_ITEM(args, 0), NULL);
}

static PyObject *get_name(PyObject *self, void *unused) {
  (void)unused;
  return Py_NewRef(((tpy_span *)self)->name);
}
static PyObject *get_target(PyObject *self, void *unused) {
  (void)unused;
  return Py_NewRef(((tpy_span *)self)->target);
}
static PyObject *get_file(PyObject *self, void *unused) {
  (void)unused;
  return Py_NewRef(((tpy_span *)self)->file);
}
static PyObject *get_line(PyObject *self, void *unused) {
  (void)unused;
  return PyLong_FromUnsignedLong(((tpy_span *)self)->line);
}
static PyGetSetDef span_getset[] = {{"name", get_name, NULL, "What the span is called.", NULL},
                                    {"target", get_target, NULL, "Category; the module's name by default.", NULL},
                                    {"file", get_file, NULL, "Source file.", NULL},
                                    {"line", get_line, NULL, "Source line.", NULL},
                                    {NULL, NULL, NULL, NULL, NULL}};

PyTypeObject tpy_span_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "tachy.Span",
    .tp_doc = "A named, instrumented place: `with` it, or decorate a function with it. Made by tachy.span().",
    .tp_basicsize = sizeof(tpy_span),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = span_traverse,
    .tp_clear = span_clear,
    .tp_dealloc = span_dealloc,
    .tp_repr = span_repr,
    .tp_call = span_call,
    .tp_getset = span_getset,
};
