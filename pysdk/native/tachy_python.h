/* The recorder as CPython sees it: functions and types in C inside the cffi module, because a call through cffi costs
 * 50 ns and a span may cost 40 in all.
 *
 * Everything here runs with the GIL held, so the tables need no lock. Recording functions never raise for what happens
 * to an event; they raise TypeError for calls that could never work, as any Python function does. What to run after a
 * change: tests/pysdk, and make bench-native for the nanoseconds.
 */
#ifndef TACHY_PYTHON_H
#define TACHY_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <tachy/tachy.h>

/* CPython 3.11 has the calling instruction (call_site.c) and a record's fields (log_record.c) in structs whose headers
 * are internal but frozen for the life of 3.11. Later versions go through public functions, which make a frame object,
 * and a dict. */
#if PY_VERSION_HEX < 0x030C0000 && !defined(TACHY_PUBLIC_FRAMES)
#define TPY_INTERNALS 1
#define Py_BUILD_CORE 1
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif
#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#undef Py_BUILD_CORE
#endif

/* A static description of a span, as a Python object: context manager and decorator. */
typedef struct tpy_span {
  PyObject ob_base;
  tachy_site *site;
  PyObject *name; /* str, all four */
  PyObject *target;
  PyObject *file;
  uint32_t line;
  PyObject *keys;  /* dict: key -> the address of its site; NULL: no value yet. Shared by all Spans of the site */
  PyObject *given; /* dict: what each span of it begins with; NULL: nothing */
  PyObject *args;  /* tuple of str: parameters of the decorated function whose arguments are values; NULL: none */
  PyObject *enter; /* bound once: `with` would make two method objects each time; NULL where there are values */
  PyObject *exit;
} tpy_span;

/* One async span that has begun. */
typedef struct tpy_async {
  PyObject ob_base;
  tachy_async span;
  PyObject *site; /* the capsule; its context is a dict as a Span's keys */
  char open;
} tpy_async;

/* A set of properties whose number is known. */
typedef struct tpy_properties {
  PyObject ob_base;
  PyObject *pairs; /* tuple of str: key, value, key, value … */
  uint32_t number;
} tpy_properties;

extern PyTypeObject tpy_span_type;
extern PyTypeObject tpy_function_type;
extern PyTypeObject tpy_async_type;
extern PyTypeObject tpy_properties_type;

/* What the module `tachy` hands to us: borrowed from nobody, replaced by tpy_configure. */
extern PyObject *tpy_thread_namer; /* () -> str | None, asked once per thread */
/* (Span, or target, or None; function, or None; args; given) -> function, or what makes it of one */
extern PyObject *tpy_decorator;

/* thread.c: threads */

/* Called when the calling thread is about to record its first event: gives it Python's name for it. */
void tpy_attach_thread(void);

/* Whether the site is on; makes sure that the thread has its name. */
static inline int tpy_ready(tachy_site *site) {
  if (tachy_site_on_(site) <= 0) return 0;
  if (TACHY_UNLIKELY(tachy_here_() == &tachy_no_thread_)) tpy_attach_thread();
  return 1;
}

/* call_site.c: where a function was called from */

/* One call of span(), metric() or log() in somebody's code. An entry is found by the address of the calling
 * instruction; the code object is kept alive so that the address stays its own. `name`, `target` and `unit` are
 * compared by identity: literals are the same object every time, and whatever is not goes the slow way and is right
 * too. */
typedef struct tpy_call_site {
  const void *instruction; /* NULL: free */
  PyObject *code;          /* strong, like all the objects here */
  PyObject *name;
  PyObject *target; /* NULL: not given */
  PyObject *unit;   /* NULL: not given; a log's level */
  PyObject *object; /* a tpy_span, or NULL */
  tachy_site *sites[2];
} tpy_call_site;

/* The instruction that is calling us and its code object (borrowed), or NULL when no Python code is. */
const void *tpy_caller(PyObject **code);

/* The entry of the call, NULL if there is none yet. */
tpy_call_site *tpy_find_call_site(const void *instruction);

/* Replaces or makes the entry; the caller fills object and sites. NULL without memory (no exception set). */
tpy_call_site *tpy_keep_call_site(const void *instruction, PyObject *code, PyObject *name, PyObject *target,
                                  PyObject *unit);

typedef struct tpy_location {
  PyObject *file; /* borrowed str */
  uint32_t line;
  PyObject *module; /* the same; "" when unknown */
} tpy_location;

/* File, line and module of the calling Python code. Valid while that code runs. */
tpy_location tpy_find_location(void);

/* UTF-8 of a str, valid as long as that is; NULL and TypeError for what is none. Unpaired surrogates become "?": such a
 * text is valid until TPY_TEXTS more have been made. */
enum { TPY_TEXTS = 128 };
const char *tpy_text(PyObject *text, const char *what, Py_ssize_t *size);

/* The recorder's site of these texts; NULL: "". NULL with an exception. */
tachy_site *tpy_intern(tachy_site_kind kind, tachy_level level, PyObject *target, PyObject *name, PyObject *file,
                       uint32_t line, PyObject *unit);
/* The same for functions that take name, target, file and line, which must be of the right types: `args`. */
tachy_site *tpy_intern_at(const char *function, tachy_site_kind kind, PyObject *const *args, Py_ssize_t count);

/* properties.c */

/* The number of None, a Properties object, or a mapping; 0 for none, and for what could not be kept. 0 with an
 * exception set for something else. */
uint32_t tpy_property_number(PyObject *properties);
PyObject *tpy_make_properties(PyObject *module, PyObject *mapping);

/* values.c: values on spans */

typedef struct tpy_owner {
  tachy_scope scope;
  tachy_async *async; /* or NULL */
} tpy_owner;

/* What is neither a number nor a str goes as str(value), None not at all. `span`: the owner's site. -1: exception. */
int tpy_put_value(PyObject **keys, const tachy_site *span, tpy_owner of, PyObject *key, PyObject *value);
int tpy_put_values(PyObject **keys, const tachy_site *span, tpy_owner of, PyObject *values);
int tpy_put_flow(PyObject **keys, const tachy_site *span, tpy_owner of, PyObject *number);

/* span.c */
int tpy_span_ready(void);
PyObject *tpy_make_span(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *tpy_span_at(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *tpy_begin(PyObject *module, PyObject *span);
PyObject *tpy_end(PyObject *module, PyObject *scope);

/* function.c */
PyObject *tpy_make_function(PyObject *module, PyObject *const *args, Py_ssize_t count);

/* async.c */
PyObject *tpy_async_site(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *tpy_async_begin(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *tpy_async_end(PyObject *module, PyObject *handle);
PyObject *tpy_async_value(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *tpy_async_flow(PyObject *module, PyObject *const *args, Py_ssize_t count);

/* metric.c */

/* The value as a 64-bit integer, if it is one: int, bool and whatever has __index__. */
int tpy_as_whole(PyObject *value, int64_t *whole);
/* A number of another type (numpy's, Decimal, Fraction, int beyond 64 bits) as a double. 0 with TypeError. */
int tpy_as_double(PyObject *value, double *number);
PyObject *tpy_metric(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *tpy_frame(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names);

/* log.c */
PyObject *tpy_log(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names);
/* Writes the message; the pairs follow it where the recorder has no room for another property set. -1: exception. */
/* thread: the name of the one that made it at that time (UTC in nanoseconds); NULL: here and now. */
int tpy_put_message(tachy_site *site, PyObject *message, PyObject *properties, int64_t utc, PyObject *thread);

/* log_format.c: formats whose formatting can wait for the reader */

#define TPY_FORMAT_ARGS TACHY_LOG_ARGS_MAX

/* What a format wants of its arguments. count 0: it cannot wait. */
typedef struct tpy_format {
  uint8_t count;
  uint8_t kinds[TPY_FORMAT_ARGS];
} tpy_format;

/* Whether C's printf makes the same text of it as Python's %, for arguments that tpy_put_format takes. */
tpy_format tpy_read_format(PyObject *text);
/* Writes the arguments, a tuple. 0: they are not what the format can wait with; nothing was written or raised. */
int tpy_put_format(tachy_site *site, const tpy_format *format, uint32_t set, PyObject *args);

/* log_call.c: one call of logging in somebody's code */

typedef struct tpy_log_call {
  tachy_site *text;      /* for ready messages */
  tachy_site *formatted; /* for `format`, or NULL */
  PyObject *format;      /* str: the first format that was used here; NULL: none yet */
  tpy_format shape;
} tpy_log_call;

/* The call with this logger, level (of the recorder), file and line; it lives as long as the process. NULL with an
 * exception. */
tpy_log_call *tpy_find_log_call(PyObject *logger, long level, PyObject *file, PyObject *line);
/* Whether messages of this format, a str, go to `formatted` there. */
int tpy_log_call_formats(tpy_log_call *call, PyObject *logger, long level, PyObject *file, PyObject *line,
                         PyObject *format);
PyObject *tpy_log_at(PyObject *module, PyObject *const *args, Py_ssize_t count);

/* log_record.c: the fields of a logging.LogRecord */

enum {
  TPY_RECORD_NAME,
  TPY_RECORD_LEVEL,
  TPY_RECORD_PATH,
  TPY_RECORD_LINE,
  TPY_RECORD_MESSAGE,
  TPY_RECORD_ARGS,
  TPY_RECORD_EXCEPTION,
  TPY_RECORD_EXCEPTION_TEXT,
  TPY_RECORD_STACK,
  TPY_RECORD_THREAD,
  TPY_RECORD_CREATED,
  TPY_RECORD_FIELDS
};

typedef struct tpy_record {
  PyObject *fields[TPY_RECORD_FIELDS]; /* borrowed from the record; NULL: deleted */
  Py_ssize_t count;                    /* of all that it has, `extra` and what others have put there too */
} tpy_record;

int tpy_add_record(void);
/* For records of exactly the type logging.LogRecord. -1: exception. */
int tpy_read_record(PyObject *record, tpy_record *out);

/* log_handler.c: logging.Handler's methods */
int tpy_add_handler(PyObject *module);
PyObject *tpy_configure_logging(PyObject *module, PyObject *const *args, Py_ssize_t count);

/* Reads keyword arguments: found[i] is the (borrowed) value of keys[i] or NULL. -1 and TypeError for an unknown one. */
int tpy_keywords(const char *function, PyObject *const *values, PyObject *names, PyObject *const *keys,
                 size_t key_count, PyObject **found);

/* install.c */
int tachy_python_install(const char *module_name);

/* Interned names, made once by tachy_python_install. */
extern PyObject *tpy_key_target, *tpy_key_unit, *tpy_key_properties, *tpy_key_args, *tpy_key_flow;

#endif
