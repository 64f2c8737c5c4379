/* LoggingHandler's handle() and emit(): the usual record without a line of Python code.
 *
 * Usual is a logging.LogRecord without traceback or stack, made here and now, and a handler without a formatter.
 * Everything else goes to the handler's _record(), what was raised to its _failed(): both are in tachy/handler.py. */
#include <time.h>

#include "tachy_python.h"

static PyObject *own_threads;  /* set of thread ids: what they log is not recorded */
static PyObject *record_type;  /* logging.LogRecord */
static PyObject *get_message;  /* its getMessage, which a program may replace */
static PyObject *own_fields;   /* frozenset: what a record has without `extra` */
static Py_ssize_t usual_count; /* of a record's fields, without `extra` */

/* Names of attributes and methods, interned. */
enum { THREAD, FILTERS, FILTER, EMIT, FORMATTER, GET_MESSAGE, RECORD, FAILED, MESSAGE, ASCTIME, KEYS };
static const char *const key_texts[KEYS] = {"thread",     "filters", "filter",  "emit",    "formatter",
                                            "getMessage", "_record", "_failed", "message", "asctime"};
static PyObject *keys[KEYS];

/* configure_logging(own_threads, LogRecord, own_fields, usual_count) */
PyObject *tpy_configure_logging(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  if (count != 4 || !PySet_Check(args[0]) || !PyType_Check(args[1]) || !PyFrozenSet_Check(args[2])) {
    return PyErr_Format(PyExc_TypeError, "configure_logging() takes a set, a type, a frozenset and a number");
  }
  const Py_ssize_t usual = PyLong_AsSsize_t(args[3]);
  PyObject *const method = PyObject_GetAttr(args[1], keys[GET_MESSAGE]);
  if (method == NULL || (usual < 0 && PyErr_Occurred())) return NULL;
  Py_XSETREF(own_threads, Py_NewRef(args[0]));
  Py_XSETREF(record_type, Py_NewRef(args[1]));
  Py_XSETREF(get_message, method);
  Py_XSETREF(own_fields, Py_NewRef(args[2]));
  usual_count = usual;
  Py_RETURN_NONE;
}

/* Whether LogRecord still makes its message as it did. */
static int is_plain_message(void) {
  static unsigned int checked; /* the type's version, which changes with its attributes; 0: it has none */
  const unsigned int version = ((PyTypeObject *)record_type)->tp_version_tag;
  if (TACHY_LIKELY(version != 0 && version == checked)) return 1;
  PyObject *const method = PyObject_GetAttr(record_type, keys[GET_MESSAGE]);
  if (method == NULL) return -1;
  Py_DECREF(method);
  if (method == get_message) checked = ((PyTypeObject *)record_type)->tp_version_tag;
  return method == get_message;
}

enum { LATE_MS = 20 }; /* other handlers, and other threads, may have had their turn since the record was made */

/* Whether the record was made on this thread, and just now. */
static int is_fresh(const tpy_record *record) {
  PyObject *const thread = record->fields[TPY_RECORD_THREAD];
  PyObject *const created = record->fields[TPY_RECORD_CREATED];
  if (thread != Py_None) {
    if (!PyLong_CheckExact(thread)) return 0;
    const unsigned long id = PyLong_AsUnsignedLong(thread);
    if (id != PyThread_get_thread_ident()) {
      PyErr_Clear();
      return 0;
    }
  }
  if (!PyFloat_CheckExact(created)) return 0;
  struct timespec now;
  timespec_get(&now, TIME_UTC);
  const double ago = (double)now.tv_sec + (double)now.tv_nsec * 1e-9 - PyFloat_AS_DOUBLE(created);
  return ago > -LATE_MS * 1e-3 && ago < LATE_MS * 1e-3;
}

/* Whether the record's text is that of its fields, and it is fresh. 1, 0 or -1. */
static int is_usual(PyObject *handler, const tpy_record *record) {
  PyObject *const formatter = PyObject_GetAttr(handler, keys[FORMATTER]);
  if (formatter == NULL) return -1;
  Py_DECREF(formatter);
  if (formatter != Py_None) return 0;
  for (int i = 0; i < TPY_RECORD_FIELDS; i++) {
    if (record->fields[i] == NULL) return 0;
  }
  for (int i = TPY_RECORD_EXCEPTION; i <= TPY_RECORD_STACK; i++) {
    if (record->fields[i] == Py_None) continue;
    const int is_false = PyObject_Not(record->fields[i]);
    if (is_false != 1) return is_false;
  }
  return is_fresh(record) ? is_plain_message() : 0;
}

/* What `extra` brought: a dict, or NULL when there is none or with an exception. */
static PyObject *extras(PyObject *record, Py_ssize_t more) {
  if (TACHY_LIKELY(more == 0)) return NULL;
  PyObject *const fields = PyObject_GenericGetDict(record, NULL);
  if (fields == NULL) return NULL;
  /* formatters of other handlers leave these behind */
  for (int i = 0; i < 2 && more > 0; i++) more -= PyDict_Contains(fields, keys[i == 0 ? MESSAGE : ASCTIME]);
  PyObject *found = more == 0 ? NULL : PyDict_New();
  Py_ssize_t position = 0;
  PyObject *key, *value;
  while (found != NULL && PyDict_Next(fields, &position, &key, &value)) {
    const int own = PySet_Contains(own_fields, key);
    if (own < 0 || (own == 0 && PyDict_SetItem(found, key, value) < 0)) Py_CLEAR(found);
  }
  Py_DECREF(fields);
  if (found != NULL && PyDict_GET_SIZE(found) == 0) Py_CLEAR(found);
  return found;
}

/* 1 (fatal) … 6 (trace), or -1 with TypeError. */
static long level_of(PyObject *number) {
  int overflow;
  if (!PyLong_Check(number)) {
    PyErr_Format(PyExc_TypeError, "levelno must be int, not %.100s", Py_TYPE(number)->tp_name);
    return -1;
  }
  const long value = PyLong_AsLongAndOverflow(number, &overflow) / 10;
  if (overflow != 0) return overflow > 0 ? TACHY_LEVEL_FATAL : TACHY_LEVEL_TRACE;
  return 6 - (value < 0 ? 0 : value > 5 ? 5 : value);
}

/* str(msg) % args, as LogRecord.getMessage has it: a new reference. */
static PyObject *message(PyObject *text, PyObject *args) {
  PyObject *const plain = PyUnicode_CheckExact(text) ? Py_NewRef(text) : PyObject_Str(text);
  const int any = plain == NULL ? -1 : PyObject_IsTrue(args);
  if (any == 0) return plain;
  PyObject *const made = any < 0 ? NULL : PyNumber_Remainder(plain, args);
  Py_XDECREF(plain);
  if (made == NULL || PyUnicode_Check(made)) return made;
  PyErr_Format(PyExc_TypeError, "a message must be str, not %.100s", Py_TYPE(made)->tp_name);
  Py_DECREF(made);
  return NULL;
}

/* Records it, the formatting left to the reader where that makes no difference. 0, or -1 with an exception. */
static int put(PyObject *record, const tpy_record *has, PyObject *text, PyObject *args) {
  PyObject *const logger = has->fields[TPY_RECORD_NAME];
  PyObject *const file = has->fields[TPY_RECORD_PATH];
  PyObject *const line = has->fields[TPY_RECORD_LINE];
  const long level = level_of(has->fields[TPY_RECORD_LEVEL]);
  tpy_log_call *const call = level < 0 ? NULL : tpy_find_log_call(logger, level, file, line);
  if (call == NULL) return -1;
  if (!tpy_ready(call->text)) return 0;
  const int waits = PyUnicode_CheckExact(text) && PyTuple_CheckExact(args) && PyTuple_GET_SIZE(args) > 0 &&
                    tpy_log_call_formats(call, logger, level, file, line, text);
  PyObject *const properties = extras(record, has->count - usual_count);
  int status = properties == NULL && PyErr_Occurred() ? -1 : 0;
  int done = 0;
  if (status == 0 && waits) {
    const uint32_t set = properties == NULL ? 0 : tpy_property_number(properties);
    if (properties == NULL || set != 0) {
      done = tpy_put_format(call->formatted, &call->shape, set, args);
    } else if (PyErr_Occurred()) {
      status = -1;
    }
  }
  if (status == 0 && !done) {
    PyObject *const whole = message(text, args);
    status = whole == NULL ? -1 : tpy_put_message(call->text, whole, properties, 0, NULL);
    Py_XDECREF(whole);
  }
  Py_XDECREF(properties);
  return status;
}

/* 1: recorded. 0: not a usual record. -1: exception. */
static int record_usual(PyObject *handler, PyObject *record) {
  tpy_record has;
  if ((PyObject *)Py_TYPE(record) != record_type) return 0;
  if (tpy_read_record(record, &has) < 0) return -1;
  const int usual = is_usual(handler, &has);
  if (usual != 1) return usual;
  PyObject *const text = Py_NewRef(has.fields[TPY_RECORD_MESSAGE]); /* somebody's __str__ may change the record */
  PyObject *const args = Py_NewRef(has.fields[TPY_RECORD_ARGS]);
  const int status = put(record, &has, text, args);
  Py_DECREF(text);
  Py_DECREF(args);
  return status < 0 ? -1 : 1;
}

static PyObject *emit(PyObject *handler, PyObject *record) {
  const int status = record_usual(handler, record);
  if (TACHY_LIKELY(status == 1)) Py_RETURN_NONE;
  if (status == 0) return PyObject_CallMethodOneArg(handler, keys[RECORD], record);
  if (!PyErr_ExceptionMatches(PyExc_Exception)) return NULL;
  PyObject *type, *error, *trace;
  PyErr_Fetch(&type, &error, &trace);
  PyErr_NormalizeException(&type, &error, &trace);
  if (trace != NULL) PyException_SetTraceback(error, trace);
  PyObject *const done = PyObject_CallMethodObjArgs(handler, keys[FAILED], record, error, NULL);
  Py_XDECREF(type);
  Py_XDECREF(error);
  Py_XDECREF(trace);
  return done;
}

/* The record to emit (borrowed), which a filter may have replaced and *keep then holds; NULL: none, or an exception. */
static PyObject *filtered(PyObject *handler, PyObject *record, PyObject **keep) {
  PyObject *const filters = PyObject_GetAttr(handler, keys[FILTERS]);
  const int any = filters == NULL ? -1 : PyObject_IsTrue(filters);
  Py_XDECREF(filters);
  if (any <= 0) return any < 0 ? NULL : record;
  PyObject *const kept = PyObject_CallMethodOneArg(handler, keys[FILTER], record);
  const int passes = kept == NULL ? -1 : PyObject_IsTrue(kept);
  const int replaced = passes == 1 ? PyObject_IsInstance(kept, record_type) : 0; /* since 3.12 */
  if (replaced == 1) {
    *keep = kept;
    return kept;
  }
  Py_XDECREF(kept);
  return passes == 1 && replaced == 0 ? record : NULL;
}

/* Whether the record was made by a thread of ours. 1, 0 or -1. */
static int is_ours(PyObject *record) {
  tpy_record has;
  PyObject *thread = NULL;
  if ((PyObject *)Py_TYPE(record) == record_type) {
    if (tpy_read_record(record, &has) < 0) return -1;
    thread = Py_XNewRef(has.fields[TPY_RECORD_THREAD]);
  }
  if (thread == NULL) thread = PyObject_GetAttr(record, keys[THREAD]);
  const int ours = thread == NULL ? -1 : PySet_Contains(own_threads, thread);
  Py_XDECREF(thread);
  return ours;
}

static PyObject *handle(PyObject *handler, PyObject *record) {
  const int own = is_ours(record);
  if (own != 0) return own < 0 ? NULL : Py_NewRef(Py_False);
  PyObject *keep = NULL;
  PyObject *const wanted = filtered(handler, record, &keep);
  if (wanted == NULL) return PyErr_Occurred() ? NULL : Py_NewRef(Py_False);
  PyObject *const done = PyObject_CallMethodOneArg(handler, keys[EMIT], wanted); /* a subclass may have its own */
  Py_XDECREF(keep);
  if (done == NULL) return NULL;
  Py_DECREF(done);
  Py_RETURN_TRUE;
}

int tpy_add_handler(PyObject *module) {
  static PyMethodDef methods[] = {
      {"handle", handle, METH_O, "handle($self, record, /)\n--\n\nFilters and emits; never raises for a record."},
      {"emit", emit, METH_O,
       "emit($self, record, /)\n--\n\nRecords one message. A record that cannot be formatted goes to `handleError`, as "
       "in every handler."}};
  if (tpy_add_record() < 0) return -1;
  for (int i = 0; i < KEYS; i++) {
    if ((keys[i] = PyUnicode_InternFromString(key_texts[i])) == NULL) return -1;
  }
  for (size_t i = 0; i < 2; i++) {
    /* of object: any handler may have them, and they bind as methods do, without a bound method being made */
    PyObject *const method = PyDescr_NewMethod(&PyBaseObject_Type, &methods[i]);
    const int status =
        method == NULL ? -1 : PyObject_SetAttrString(module, i == 0 ? "handler_handle" : "handler_emit", method);
    Py_XDECREF(method);
    if (status < 0) return -1;
  }
  return 0;
}
