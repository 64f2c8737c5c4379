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
  if (TACHY_UNLIKELY(scope - 1 >= TACHY_TOP_MAX_ - 1)) {
    if (scope == TACHY_TOP_MAX_) {
      unstacked = 0;
      return scope;
    }
    if (tachy_here_()->top == TACHY_TOP_MAX_) unstacked++;
    return 0;
  }
  return scope;
}

static uint32_t id_of(const tachy_site *site) {
  const int32_t number = TACHY_LOAD(&site->id);
  return number < 0 ? 0u - (uint32_t)number : (uint32_t)number; /* switched off: its negative */
}

static int is_unstacked(const tachy_thread *thread) { return thread->top == TACHY_TOP_MAX_ && unstacked > 0; }

/* The innermost open span of the site with this number, or 0. */
static tachy_scope innermost(const tachy_thread *thread, uint32_t id) {
  if (thread->top > TACHY_TOP_MAX_ || id == 0) return 0; /* of a thread that has recorded nothing it is larger */
  uint32_t depth = TACHY_DEPTH_AT_(thread->top);
  while (depth > 0 && thread->stack[depth - 1u].site != id) depth--;
  return depth ? TACHY_TOP_OF_(depth) : 0;
}

/* The innermost open span of this site, when it is not the last one that was opened. */
static Py_NO_INLINE void end_below(uint32_t id) {
  const tachy_thread *const thread = tachy_here_();
  if (is_unstacked(thread)) {
    unstacked--;
    return;
  }
  const tachy_scope scope = innermost(thread, id);
  if (scope != 0) tachy_span_end(scope);
}

static void end_innermost(const tachy_site *site) {
  const uint32_t id = id_of(site);
  tachy_thread *const thread = tachy_here_();
  const uint32_t top = thread->top;
  if (TACHY_LIKELY(top - TACHY_TOP_OF_(1) < TACHY_TOP_MAX_ - TACHY_TOP_OF_(1) &&
                   tachy_span_entry_(thread, top)->site == id)) {
    tachy_span_end(top);
    return;
  }
  end_below(id);
}

/* The values that each span of it has. -1: exception, and the span has ended. */
static Py_NO_INLINE int give(tpy_span *span, tachy_scope scope) {
  if (scope == 0 || tpy_put_values(&span->keys, span->site, (tpy_owner){scope, NULL}, span->given) == 0) return 0;
  tachy_span_end(scope);
  return -1;
}

PyObject *tpy_begin(PyObject *module, PyObject *span) {
  (void)module;
  if (TACHY_UNLIKELY(Py_TYPE(span) != &tpy_span_type)) {
    return PyErr_Format(PyExc_TypeError, "begin() wants a Span made by tachy.span(), not %.100s",
                        Py_TYPE(span)->tp_name);
  }
  tpy_span *const self = (tpy_span *)span;
  const tachy_scope scope = begin(self->site);
  if (TACHY_UNLIKELY(self->given != NULL) && give(self, scope) < 0) return NULL;
  return PyLong_FromLong((long)(scope ? TACHY_DEPTH_AT_(scope) : 0));
}

PyObject *tpy_end(PyObject *module, PyObject *scope) {
  (void)module;
  const unsigned long value = PyLong_AsUnsignedLong(scope);
  if (TACHY_UNLIKELY(value > TACHY_DEPTH_MAX)) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "end() wants what begin() returned");
    return NULL;
  }
  if (TACHY_LIKELY(tachy_here_() != &tachy_no_thread_)) tachy_span_end(value ? TACHY_TOP_OF_(value) : 0);
  Py_RETURN_NONE;
}

/* Making them ---------------------------------------------------------------------------------------------------- */

static PyObject *span_enter(PyObject *object, PyObject *unused) {
  (void)unused;
  tpy_span *const self = (tpy_span *)object;
  const tachy_scope scope = begin(self->site);
  if (TACHY_UNLIKELY(self->given != NULL) && give(self, scope) < 0) return NULL;
  return Py_NewRef(object);
}

static PyObject *span_exit(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  (void)args;
  (void)count;
  end_innermost(((tpy_span *)self)->site);
  Py_RETURN_NONE;
}

static PyMethodDef enter_method = {"__enter__", span_enter, METH_NOARGS, NULL};
static PyMethodDef exit_method = {"__exit__", (PyCFunction)(void (*)(void))span_exit, METH_FASTCALL, NULL};

/* Another Span of the site. Its methods are bound when they are asked for: bound ones and it would keep each other. */
static tpy_span *span_of(tachy_site *site, PyObject *name, PyObject *target, PyObject *file, uint32_t line) {
  tpy_span *const self = PyObject_GC_New(tpy_span, &tpy_span_type);
  if (self == NULL) return NULL;
  self->site = site;
  self->name = Py_NewRef(name);
  self->target = Py_NewRef(target);
  self->file = Py_NewRef(file);
  self->line = line;
  self->keys = self->given = self->args = self->enter = self->exit = NULL;
  PyObject_GC_Track(self);
  return self;
}

/* With bound methods. name, target, file: borrowed str. site: NULL: an exception is set. */
static PyObject *span_new(tachy_site *site, PyObject *name, PyObject *target, PyObject *file, uint32_t line) {
  tpy_span *const self = site == NULL ? NULL : span_of(site, name, target, file, line);
  if (self == NULL) return NULL;
  self->enter = PyCFunction_New(&enter_method, (PyObject *)self);
  self->exit = PyCFunction_New(&exit_method, (PyObject *)self);
  if (self->enter != NULL && self->exit != NULL) return (PyObject *)self;
  Py_DECREF(self);
  return NULL;
}

PyObject *tpy_span_at(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  tachy_site *const site = tpy_intern_at("span_at", TACHY_SITE_SPAN, args, count);
  return site == NULL ? NULL : span_new(site, args[0], args[1], args[2], site->line);
}

static Py_NO_INLINE PyObject *make_slowly(const void *instruction, PyObject *code, PyObject *name, PyObject *target) {
  const tpy_location at = tpy_find_location();
  PyObject *const category = Py_NewRef(target != NULL ? target : at.module); /* making objects may collect garbage */
  tachy_site *const site = tpy_intern(TACHY_SITE_SPAN, TACHY_LEVEL_NONE, category, name, at.file, at.line, NULL);
  PyObject *const span = span_new(site, name, category, at.file, at.line);
  Py_DECREF(category);
  if (span == NULL || instruction == NULL) return span;
  tpy_call_site *const entry = tpy_keep_call_site(instruction, code, name, target, NULL);
  if (entry != NULL) entry->object = Py_NewRef(span);
  return span;
}

/* The Span of the calling instruction, which is kept for its next call. */
TACHY_INLINE PyObject *make_plain(PyObject *name, PyObject *target) {
  PyObject *code = NULL;
  const void *const instruction = tpy_caller(&code);
  const tpy_call_site *const entry = instruction == NULL ? NULL : tpy_find_call_site(instruction);
  if (TACHY_LIKELY(entry != NULL && entry->name == name && entry->target == target && entry->object != NULL)) {
    return Py_NewRef(entry->object);
  }
  return make_slowly(instruction, code, name, target);
}

/* What span() is called with beside the name: the values are a new dict, or NULL. */
typedef struct keywords {
  PyObject *target;
  PyObject *args;
  PyObject *given;
} keywords;

static int is_key(PyObject *name, PyObject *key) { return name == key || PyUnicode_Compare(name, key) == 0; }

/* -1: exception; the caller releases `given` either way. */
static int read_keywords(PyObject *const *values, PyObject *names, keywords *found) {
  for (Py_ssize_t i = 0; names != NULL && i < PyTuple_GET_SIZE(names); i++) {
    PyObject *const name = PyTuple_GET_ITEM(names, i);
    if (is_key(name, tpy_key_target)) {
      found->target = values[i] == Py_None ? NULL : values[i];
    } else if (is_key(name, tpy_key_args)) {
      found->args = values[i] == Py_None ? NULL : values[i];
    } else {
      if (found->given == NULL) found->given = PyDict_New();
      if (found->given == NULL || PyDict_SetItem(found->given, name, values[i]) < 0) return -1;
    }
  }
  if (found->args == NULL) return 0;
  Py_ssize_t texts = PyTuple_Check(found->args) ? PyTuple_GET_SIZE(found->args) : -1;
  for (Py_ssize_t i = 0; i < texts; i++) {
    if (!PyUnicode_Check(PyTuple_GET_ITEM(found->args, i))) texts = -1;
  }
  if (texts >= 0) return 0;
  PyErr_Format(PyExc_TypeError, "span(): args is a tuple of the names of parameters, not %R", found->args);
  return -1;
}

static PyObject *decorate(PyObject *span, PyObject *function, PyObject *args, PyObject *given) {
  if (tpy_decorator == NULL) return PyErr_Format(PyExc_RuntimeError, "tachy is not imported");
  return PyObject_CallFunctionObjArgs(tpy_decorator, span == NULL ? Py_None : span,
                                      function == NULL ? Py_None : function, args == NULL ? Py_None : args,
                                      given == NULL ? Py_None : given, NULL);
}

/* A Span of the same site, with values. */
static PyObject *with_values(PyObject *object, const keywords *found) {
  tpy_span *const span = (tpy_span *)object;
  if (span->keys == NULL) span->keys = PyDict_New();
  tpy_span *const self =
      span->keys == NULL ? NULL : span_of(span->site, span->name, span->target, span->file, span->line);
  if (self != NULL) {
    self->keys = Py_NewRef(span->keys);
    self->given = Py_XNewRef(found->given);
    self->args = Py_XNewRef(found->args);
  }
  return (PyObject *)self;
}

static Py_NO_INLINE PyObject *make_rarely(PyObject *const *args, Py_ssize_t count, const keywords *found) {
  PyObject *const name = count == 1 ? args[0] : NULL;
  const int is_function = name != NULL && !PyUnicode_Check(name);
  if (count > 1 || (count == 0 && found->args == NULL)) {
    return PyErr_Format(PyExc_TypeError,
                        "span() takes one name, or one function: span(name, *, target=None, args=(), "
                        "**values)");
  }
  if (is_function && !PyCallable_Check(name)) {
    return PyErr_Format(PyExc_TypeError, "span() wants a name or a function, not %.100s", Py_TYPE(name)->tp_name);
  }
  if (count == 0 || is_function) return decorate(found->target, name, found->args, found->given);
  PyObject *const plain = make_plain(name, found->target);
  PyObject *const span = plain == NULL ? NULL : with_values(plain, found);
  Py_XDECREF(plain);
  return span;
}

PyObject *tpy_make_span(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  (void)module;
  keywords found = {NULL, NULL, NULL};
  if (TACHY_UNLIKELY(names != NULL) && read_keywords(args + count, names, &found) < 0) {
    Py_XDECREF(found.given);
    return NULL;
  }
  if (TACHY_LIKELY(count == 1 && PyUnicode_Check(args[0]) && found.given == NULL && found.args == NULL)) {
    return make_plain(args[0], found.target);
  }
  PyObject *const span = make_rarely(args, count, &found);
  Py_XDECREF(found.given);
  return span;
}

/* __enter__ and __exit__ of the type: a descriptor that gives the method that the Span has bound already. */
typedef struct special {
  PyObject ob_base;
  PyMethodDef *method;
  size_t offset; /* of the bound method in tpy_span */
} special;

static PyObject *special_get(PyObject *object, PyObject *span, PyObject *owner) {
  (void)owner;
  if (span == NULL || Py_TYPE(span) != &tpy_span_type) return Py_NewRef(object);
  const special *const self = (special *)object;
  PyObject *const bound = *(PyObject **)((char *)span + self->offset);
  return bound == NULL ? PyCFunction_New(self->method, span) : Py_NewRef(bound);
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

static int add_special(PyMethodDef *method, size_t offset) {
  special *const object = PyObject_New(special, &special_type);
  if (object == NULL) return -1;
  object->method = method;
  object->offset = offset;
  const int status = PyDict_SetItemString(tpy_span_type.tp_dict, method->ml_name, (PyObject *)object);
  Py_DECREF(object);
  return status;
}

int tpy_span_ready(void) {
  if (PyType_Ready(&special_type) < 0 || PyType_Ready(&tpy_span_type) < 0) return -1;
  if (add_special(&enter_method, offsetof(tpy_span, enter)) < 0) return -1;
  if (add_special(&exit_method, offsetof(tpy_span, exit)) < 0) return -1;
  PyType_Modified(&tpy_span_type);
  return 0;
}

/* The type -------------------------------------------------------------------------------------------------------- */

static int span_traverse(PyObject *object, visitproc visit, void *arg) {
  const tpy_span *const self = (tpy_span *)object;
  Py_VISIT(self->given);
  Py_VISIT(self->enter);
  Py_VISIT(self->exit);
  return 0;
}

static int span_clear(PyObject *object) {
  tpy_span *const self = (tpy_span *)object;
  Py_CLEAR(self->given);
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
  Py_XDECREF(self->keys);
  Py_XDECREF(self->args);
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
  const tpy_span *const self = (tpy_span *)object;
  return decorate(object, PyTuple_GET_ITEM(args, 0), self->args, self->given);
}

/* The innermost open span of it on this thread; 0: none. */
static tachy_scope open_scope(const tpy_span *span) {
  const tachy_thread *const thread = tachy_here_();
  return is_unstacked(thread) ? 0 : innermost(thread, id_of(span->site));
}

/* span["key"] = value */
static int span_set(PyObject *object, PyObject *key, PyObject *value) {
  tpy_span *const self = (tpy_span *)object;
  if (value == NULL || !PyUnicode_Check(key)) {
    PyErr_Format(PyExc_TypeError, value == NULL ? "a value stays on its span" : "a value's key is a str");
    return -1;
  }
  const tachy_scope scope = open_scope(self);
  return scope == 0 ? 0 : tpy_put_value(&self->keys, self->site, (tpy_owner){scope, NULL}, key, value);
}

static PyObject *span_flow(PyObject *object, PyObject *number) {
  tpy_span *const self = (tpy_span *)object;
  if (!PyIndex_Check(number)) return PyErr_Format(PyExc_TypeError, "a flow is an int");
  const tachy_scope scope = open_scope(self);
  if (scope != 0 && tpy_put_flow(&self->keys, self->site, (tpy_owner){scope, NULL}, number) < 0) return NULL;
  Py_RETURN_NONE;
}

static PyMethodDef span_methods[] = {
    {"flow", span_flow, METH_O,
     "flow(number, /)\n--\n\nPuts the span on the flow of that number: arrows lead through all that are on it."},
    {NULL, NULL, 0, NULL}};
static PyMappingMethods span_mapping = {.mp_ass_subscript = span_set};

static PyMemberDef span_members[] = {
    {"name", T_OBJECT, offsetof(tpy_span, name), READONLY, "What the span is called."},
    {"target", T_OBJECT, offsetof(tpy_span, target), READONLY, "Category; the module's name by default."},
    {"file", T_OBJECT, offsetof(tpy_span, file), READONLY, "Source file."},
    {"line", T_UINT, offsetof(tpy_span, line), READONLY, "Source line."},
    {NULL, 0, 0, 0, NULL}};

PyTypeObject tpy_span_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "tachy.Span",
    .tp_doc = "A named site: `with` it, or decorate a function with it. Made by tachy.span().",
    .tp_basicsize = sizeof(tpy_span),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = span_traverse,
    .tp_clear = span_clear,
    .tp_dealloc = span_dealloc,
    .tp_repr = span_repr,
    .tp_call = span_call,
    .tp_as_mapping = &span_mapping,
    .tp_methods = span_methods,
    .tp_members = span_members,
};
