/* The fields of a logging.LogRecord. Reading them one by one through its dict would make the dict, which costs more
 * than everything else that the handler does. */
#include "tachy_python.h"

static PyObject *names[TPY_RECORD_FIELDS]; /* interned */

int tpy_add_record(void) {
  static const char *const texts[TPY_RECORD_FIELDS] = {"name",     "levelno",  "pathname",   "lineno", "msg",    "args",
                                                       "exc_info", "exc_text", "stack_info", "thread", "created"};
  for (int i = 0; i < TPY_RECORD_FIELDS; i++) {
    if ((names[i] = PyUnicode_InternFromString(texts[i])) == NULL) return -1;
  }
  return 0;
}

#if defined(TPY_INTERNALS)
/* Where each field is in the array that CPython keeps until somebody asks for the dict: the same for all records, whose
 * class only ever adds names. */
static struct {
  const PyDictKeysObject *keys; /* of the class for which it was found out */
  Py_ssize_t index[TPY_RECORD_FIELDS];
} known;

static int find_indexes(PyDictKeysObject *keys) {
  const PyDictUnicodeEntry *const entries = DK_UNICODE_ENTRIES(keys);
  int found = 0;
  for (int field = 0; field < TPY_RECORD_FIELDS; field++) {
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++) {
      if (entries[i].me_key != names[field]) continue;
      known.index[field] = i;
      found++;
    }
  }
  if (found != TPY_RECORD_FIELDS) return 0;
  known.keys = keys;
  return 1;
}

/* 0: the record has a dict already. */
static int read_values(PyObject *record, tpy_record *out) {
  PyTypeObject *const type = Py_TYPE(record);
  if (!(type->tp_flags & Py_TPFLAGS_MANAGED_DICT)) return 0;
  const PyDictValues *const values = ((PyDictValues **)record)[-4]; /* _PyObject_ValuesPointer */
  PyDictKeysObject *const keys = ((PyHeapTypeObject *)type)->ht_cached_keys;
  if (values == NULL || keys == NULL || (TACHY_UNLIKELY(known.keys != keys) && !find_indexes(keys))) return 0;
  for (int i = 0; i < TPY_RECORD_FIELDS; i++) out->fields[i] = values->values[known.index[i]];
  out->count = ((const uint8_t *)values)[-2]; /* so many are set */
  return 1;
}
#endif

int tpy_read_record(PyObject *record, tpy_record *out) {
#if defined(TPY_INTERNALS)
  if (TACHY_LIKELY(read_values(record, out))) return 0;
#endif
  PyObject *const dict = PyObject_GenericGetDict(record, NULL);
  if (dict == NULL) return -1;
  for (int i = 0; i < TPY_RECORD_FIELDS; i++) {
    out->fields[i] = PyDict_GetItemWithError(dict, names[i]);
    if (out->fields[i] == NULL && PyErr_Occurred()) break;
  }
  out->count = PyDict_GET_SIZE(dict);
  Py_DECREF(dict);
  return PyErr_Occurred() ? -1 : 0;
}
