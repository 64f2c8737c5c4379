/* Follows a path: each step makes of what the one before has found what lies one step further. */
#include "document.h"

typedef struct operand { /* of a comparison: what a path has found, or one value */
  tachy_json_value literal;
  uint64_t first;
  uint64_t end;
  int is_literal;
} operand;

static const uint8_t *steps(tachy_json_selection *s, const uint8_t *path, uint32_t from, uint64_t *first);

static int add(tachy_json_selection *s, uint32_t value) {
  uint32_t *const found = tachy_list_add(&s->found, sizeof *found);
  if (!found) return 0;
  *found = value;
  return 1;
}

static uint32_t size_of(const uint8_t *at) {
  uint32_t size;
  memcpy(&size, at, sizeof size);
  return size;
}

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c; }

static int same_but_case(const tachy_json_value *v, const uint8_t *name, uint32_t size) {
  if (v->key_size != size) return 0;
  for (uint32_t i = 0; i < size; i++) {
    if (lower(v->key[i]) != lower(name[i])) return 0;
  }
  return 1;
}

/* The member of that name; the first one that has it but for ASCII letters' case, where `any_case` and none has. 0:
 * none, as the whole document is no member. */
static uint32_t member(const tachy_json_document *d, uint32_t object, const uint8_t *name, uint32_t size,
                       int any_case) {
  const tachy_json_value *const values = d->values.items;
  uint32_t like = 0;
  if (values[object].type != TACHY_JSON_OBJECT) return 0;
  for (uint32_t i = object + 1; i < values[object].end; i = values[i].end) {
    if (values[i].gone) continue;
    if (tachy_json_same(values[i].key, values[i].key_size, name, size)) return i;
    if (any_case && !like && same_but_case(values + i, name, size)) like = i;
  }
  return like;
}

/* Of an array; from its end if `index` is negative. 0: there is none. */
static uint32_t element(const tachy_json_document *d, uint32_t array, int64_t index) {
  const tachy_json_value *const values = d->values.items;
  int64_t count = 0;
  if (values[array].type != TACHY_JSON_ARRAY) return 0;
  if (index < 0) {
    for (uint32_t i = array + 1; i < values[array].end; i = values[i].end) count++;
  }
  index += count;
  for (uint32_t i = array + 1; index >= 0 && i < values[array].end; i = values[i].end) {
    if (index-- == 0) return i;
  }
  return 0;
}

/* What a name says that is a number: -1 if it is none. */
static int64_t index_of(const uint8_t *name, uint32_t size) {
  int64_t index = 0;
  for (uint32_t i = 0; i < size; i++) {
    if (name[i] < '0' || name[i] > '9' || index > INT32_MAX) return -1;
    index = index * 10 + (name[i] - '0');
  }
  return size ? index : -1;
}

static int add_all_in(tachy_json_selection *s, uint32_t value) {
  const uint32_t end = s->document->values.items[value].end;
  for (uint32_t i = value + 1; i < end; i = s->document->values.items[i].end) {
    if (!s->document->values.items[i].gone && !add(s, i)) return 0;
  }
  return 1;
}

static int step_from(tachy_json_selection *s, tachy_json_step kind, const uint8_t *key, uint32_t size, uint32_t value) {
  const tachy_json_document *const d = s->document;
  uint32_t found = 0;
  int32_t index;
  switch (kind) {
    case TACHY_JSON_ALL:
      return add_all_in(s, value);
    case TACHY_JSON_AT:
      memcpy(&index, key, sizeof index);
      found = element(d, value, index);
      break;
    case TACHY_JSON_GET:
      found = member(d, value, key, size, 0);
      if (!found && index_of(key, size) >= 0) found = element(d, value, index_of(key, size));
      break;
    default:
      found = member(d, value, key, size, kind == TACHY_JSON_NAME_IN_ANY_CASE);
  }
  return !found || add(s, found);
}

/* The value and all in it. */
static int step_from_each(tachy_json_selection *s, tachy_json_step kind, const uint8_t *key, uint32_t size,
                          uint32_t value) {
  const tachy_json_document *const d = s->document;
  const uint32_t end = d->values.items[value].end;
  for (uint32_t i = value; i < end;) {
    if (d->values.items[i].gone && i != value) {
      i = d->values.items[i].end;
    } else if (!step_from(s, kind, key, size, i++)) {
      return 0;
    }
  }
  return 1;
}

/* Tests ------------------------------------------------------------------------------------------------------------ */

/* Moves *test behind the operand. 0: no memory. */
static int read_operand(tachy_json_selection *s, const uint8_t **test, uint32_t value, operand *o) {
  const uint8_t kind = *(*test)++;
  *o = (operand){.end = 1, .is_literal = kind >= TACHY_JSON_LITERAL};
  if (o->is_literal) {
    o->literal.type = (uint8_t)(kind - TACHY_JSON_LITERAL);
    o->literal.size = size_of(*test);
    o->literal.text = *test + sizeof(uint32_t);
    *test = o->literal.text + o->literal.size;
    return 1;
  }
  *test = steps(s, *test, kind == TACHY_JSON_THIS ? value : 0, &o->first);
  o->end = s->found.count;
  return *test != NULL;
}

static int is_bool(uint8_t type) { return type == TACHY_JSON_TRUE || type == TACHY_JSON_FALSE; }

enum { APART = -2, SAME = 2, DIFFERENT = 3 }; /* they are not compared at all, or have no order */

/* -1, 0, 1: of two numbers, or two texts; SAME or DIFFERENT of two of true and false, and of null and anything. */
static int order(tachy_json_selection *s, const tachy_json_value *a, const tachy_json_value *b) {
  if (a->type == TACHY_JSON_NUMBER && b->type == TACHY_JSON_NUMBER) {
    int64_t m, n;
    if (tachy_json_whole(a, &s->scratch, &m) && tachy_json_whole(b, &s->scratch, &n)) return (m > n) - (m < n);
    const double x = tachy_json_double(a, &s->scratch), y = tachy_json_double(b, &s->scratch);
    return (x > y) - (x < y);
  }
  if (a->type == TACHY_JSON_STRING && b->type == TACHY_JSON_STRING) {
    const uint32_t size = a->size < b->size ? a->size : b->size;
    const int difference = size ? memcmp(a->text, b->text, size) : 0;
    return difference ? (difference > 0) - (difference < 0) : (a->size > b->size) - (a->size < b->size);
  }
  if (a->type != TACHY_JSON_NULL && b->type != TACHY_JSON_NULL && !(is_bool(a->type) && is_bool(b->type))) return APART;
  return a->type == b->type ? SAME : DIFFERENT;
}

static int holds_of(tachy_json_test compare, int order) {
  switch (compare) {
    case TACHY_JSON_EQUAL:
      return order == 0 || order == SAME;
    case TACHY_JSON_UNEQUAL:
      return order != 0 && order != SAME && order != APART;
    case TACHY_JSON_LESS:
      return order == -1;
    case TACHY_JSON_AT_MOST:
      return order == -1 || order == 0;
    case TACHY_JSON_GREATER:
      return order == 1;
    default:
      return order == 1 || order == 0;
  }
}

static const tachy_json_value *value_of(const tachy_json_selection *s, const operand *o, uint64_t i) {
  return o->is_literal ? &o->literal : s->document->values.items + s->found.items[o->first + i];
}

/* Whether one of the left values and one of the right values compare so. -1: no memory. */
static int compare(tachy_json_selection *s, const uint8_t **test, uint32_t value, tachy_json_test kind) {
  const uint64_t before = s->found.count;
  operand left, right;
  if (!read_operand(s, test, value, &left) || !read_operand(s, test, value, &right)) return -1;
  int holds = 0;
  for (uint64_t i = 0; i < left.end - left.first && !holds; i++) {
    for (uint64_t j = 0; j < right.end - right.first && !holds; j++) {
      holds = holds_of(kind, order(s, value_of(s, &left, i), value_of(s, &right, j)));
    }
  }
  s->found.count = before;
  return holds;
}

/* Moves *test behind it. -1: no memory. */
static int holds(tachy_json_selection *s, const uint8_t **test, uint32_t value);

/* All of several tests are looked at, as none can be passed over. */
static int hold(tachy_json_selection *s, const uint8_t **test, uint32_t value, tachy_json_test kind) {
  const uint32_t count = size_of(*test);
  int all = 1, any = 0;
  *test += sizeof count;
  for (uint32_t i = 0; i < count; i++) {
    const int one = holds(s, test, value);
    if (one < 0) return one;
    all &= one;
    any |= one;
  }
  return kind == TACHY_JSON_OR ? any : all;
}

static int holds(tachy_json_selection *s, const uint8_t **test, uint32_t value) {
  const tachy_json_test kind = (tachy_json_test) * (*test)++;
  int one;
  operand o;
  switch (kind) {
    case TACHY_JSON_OR:
    case TACHY_JSON_AND:
      return hold(s, test, value, kind);
    case TACHY_JSON_NOT:
      one = holds(s, test, value);
      return one < 0 ? one : !one;
    case TACHY_JSON_EXISTS:
      if (!read_operand(s, test, value, &o)) return -1;
      if (!o.is_literal) s->found.count -= o.end - o.first;
      return o.end > o.first;
    default:
      return compare(s, test, value, kind);
  }
}

/* Paths ------------------------------------------------------------------------------------------------------------ */

/* Appends what the path finds from there, which begins at *first. Returns what is behind the path, NULL: no memory. */
static const uint8_t *steps(tachy_json_selection *s, const uint8_t *path, uint32_t from, uint64_t *first) {
  const uint64_t bottom = s->found.count;
  if (!add(s, from)) return NULL;
  while (*path != TACHY_JSON_END) {
    const tachy_json_step kind = (tachy_json_step)(*path & ~TACHY_JSON_DEEP);
    const int is_deep = *path & TACHY_JSON_DEEP;
    const uint32_t size = size_of(path + 1);
    const uint8_t *const key = path + 1 + sizeof size;
    const uint64_t end = s->found.count;
    for (uint64_t i = bottom; i < end; i++) {
      const uint32_t value = s->found.items[i];
      const uint8_t *test = key;
      int done;
      if (kind == TACHY_JSON_FILTER) {
        done = holds(s, &test, value);
        if (done > 0 && !add(s, value)) done = -1;
        done = done >= 0;
      } else {
        done = is_deep ? step_from_each(s, kind, key, size, value) : step_from(s, kind, key, size, value);
      }
      if (!done) return NULL;
    }
    /* what the step has found takes the place of what it began with */
    s->found.count -= end - bottom;
    if (s->found.count > bottom) {
      memmove(s->found.items + bottom, s->found.items + end, (s->found.count - bottom) * sizeof *s->found.items);
    }
    path = key + size;
  }
  *first = bottom;
  return path + 1;
}

int tachy_json_follow(tachy_json_selection *selection, const uint8_t *path, uint64_t *first) {
  return steps(selection, path, 0, first) != NULL;
}
