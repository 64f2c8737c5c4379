/* Async spans: may begin on one thread and end on another. The context manager over them is Python
 * (tachy/async_span.py). */
#include "tachy_python.h"

/* async_site(name, target, file, line) -> capsule */
PyObject *tpy_async_site(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  tachy_site *const site = tpy_intern_at("async_site", TACHY_SITE_ASYNC, args, count);
  return site == NULL ? NULL : PyCapsule_New(site, NULL, NULL);
}

/* async_begin(site, parent: AsyncHandle | None) -> AsyncHandle */
PyObject *tpy_async_begin(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  if (count != 2 || (args[1] != Py_None && Py_TYPE(args[1]) != &tpy_async_type)) {
    return PyErr_Format(PyExc_TypeError, "async_begin() takes a site and an AsyncHandle or None");
  }
  tachy_site *const site = PyCapsule_GetPointer(args[0], NULL);
  tpy_async *const self = site == NULL ? NULL : PyObject_New(tpy_async, &tpy_async_type);
  if (self == NULL) return NULL;
  self->site = Py_NewRef(args[0]);
  self->span = (tachy_async){0};
  if (tpy_ready(site)) {
    const tachy_async *const parent = args[1] == Py_None ? NULL : &((tpy_async *)args[1])->span;
    self->span = tachy_async_begin(site, parent != NULL && parent->id != 0 ? parent : NULL);
  }
  self->open = self->span.id != 0;
  return (PyObject *)self;
}

/* async_end(handle): the second end of a handle does nothing. */
PyObject *tpy_async_end(PyObject *module, PyObject *handle) {
  (void)module;
  if (Py_TYPE(handle) != &tpy_async_type) return PyErr_Format(PyExc_TypeError, "async_end() takes an AsyncHandle");
  tpy_async *const self = (tpy_async *)handle;
  if (self->open) {
    self->open = 0;
    if (tachy_here_() == &tachy_no_thread_) tpy_attach_thread();
    tachy_async_end(&self->span);
  }
  Py_RETURN_NONE;
}

/* A value or a flow: handle, key unless it is a flow, value. */
static PyObject *give(const char *function, PyObject *const *args, Py_ssize_t count, int flow) {
  if (count != 3 - flow || Py_TYPE(args[0]) != &tpy_async_type) {
    return PyErr_Format(PyExc_TypeError, "%s() takes an AsyncHandle and %d more", function, 2 - flow);
  }
  tpy_async *const self = (tpy_async *)args[0];
  if (!self->open) Py_RETURN_NONE;
  if (tachy_here_() == &tachy_no_thread_) tpy_attach_thread();
  const tachy_site *const site = PyCapsule_GetPointer(self->site, NULL);
  PyObject *const before = PyCapsule_GetContext(self->site);
  PyObject *keys = before;
  const tpy_owner owner = {0, &self->span};
  const int status =
      flow ? tpy_put_flow(&keys, site, owner, args[1]) : tpy_put_value(&keys, site, owner, args[1], args[2]);
  if (keys != before) PyCapsule_SetContext(self->site, keys); /* it lives as long as the site */
  if (status < 0) return NULL;
  Py_RETURN_NONE;
}

/* async_value(handle, key, value): of one that is open. */
PyObject *tpy_async_value(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  return give("async_value", args, count, 0);
}

/* async_flow(handle, number) */
PyObject *tpy_async_flow(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  return give("async_flow", args, count, 1);
}

static void dealloc(PyObject *self) {
  Py_DECREF(((tpy_async *)self)->site);
  PyObject_Free(self);
}

static PyMemberDef members[] = {
    {"id", T_ULONGLONG, offsetof(tpy_async, span.id), READONLY, "Unique in the process; 0: not recorded."},
    {"open", T_BOOL, offsetof(tpy_async, open), READONLY, "Whether it is recorded and has not ended."},
    {NULL, 0, 0, 0, NULL}};

PyTypeObject tpy_async_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "tachy._native.AsyncHandle",
    .tp_doc = "One async span that has begun.",
    .tp_basicsize = sizeof(tpy_async),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = dealloc,
    .tp_members = members,
};
