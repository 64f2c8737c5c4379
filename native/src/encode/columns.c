/* Streams as columns of a block's body. */
#include "columns.h"

void tachy_columns_planes(tachy_columns *c, tachy_column_id id, tachy_stream *streams, unsigned plane) {
  for (tachy_stream *s = streams; s; s = s->next) s->planes[plane].next = s->next ? &s->next->planes[plane] : NULL;
  if (streams) tachy_columns_plane(c, id, &streams->planes[plane]);
}

void tachy_columns_floats(tachy_columns *c, tachy_column_id id, const tachy_stream *streams) {
  uint64_t size = 0;
  for (const tachy_stream *s = streams; s; s = s->next) size += s->floats.size;
  const uint64_t count = size / sizeof(uint64_t);
  uint8_t *at = tachy_columns_open(c, id, TACHY_ENCODING_F64, count, size);
  for (const tachy_stream *s = streams; at && s; s = s->next) {
    tachy_columns_doubles(at, count, &s->floats);
    at += s->floats.size / sizeof(uint64_t);
  }
}

void tachy_columns_text(tachy_columns *c, tachy_column_id id, const tachy_stream *streams) {
  uint64_t size = 0;
  for (const tachy_stream *s = streams; s; s = s->next) size += s->text.size;
  uint8_t *at = tachy_columns_open(c, id, TACHY_ENCODING_BYTES, size, size);
  for (const tachy_stream *s = streams; at && s; s = s->next) at = tachy_bytes_copy(at, &s->text);
}

/* Index of a string in the block. */
static uint32_t string_of(tachy_columns *c, tachy_tables *tables, uint32_t number) {
  const uint32_t position = tachy_index_position(&tables->strings, number);
  if (position == 0) c->failed = 1;
  return position - 1;
}

/* Of 100,000 sites each is a cache miss or four: they are fetched beforehand, so many at a time. */
enum { AT_ONCE = 64, SITE_COLUMNS = 8 };

static void add_sites(tachy_columns *c, tachy_tables *tables, const tachy_names *names) {
  tachy_plane planes[SITE_COLUMNS] = {0};
  const uint32_t *const numbers = tachy_index_numbers(&tables->sites);
  const uint32_t count = tachy_index_count(&tables->sites);
  for (uint32_t first = 0; first < count; first += AT_ONCE) {
    const tachy_site_entry *sites[AT_ONCE];
    const uint32_t some = count - first < AT_ONCE ? count - first : AT_ONCE;
    names->sites(names->context, numbers + first, some, sites);
    for (uint32_t i = 0; i < some; i++) TACHY_PREFETCH(sites[i]);
    for (uint32_t i = 0; i < some; i++) tachy_index_expect(&tables->strings, sites[i]->strings[TACHY_TEXT_NAME]);
    for (uint32_t i = 0; i < some; i++) {
      const tachy_site_entry *const site = sites[i];
      const uint64_t values[SITE_COLUMNS] = {numbers[first + i],
                                             string_of(c, tables, site->strings[TACHY_TEXT_NAME]),
                                             string_of(c, tables, site->strings[TACHY_TEXT_TARGET]),
                                             string_of(c, tables, site->strings[TACHY_TEXT_FILE]),
                                             string_of(c, tables, site->strings[TACHY_TEXT_UNIT]),
                                             site->line,
                                             site->level,
                                             site->kind};
      tachy_columns_row(c, planes, SITE_COLUMNS, values);
    }
  }
  tachy_columns_add(c, TACHY_COLUMN_SITE_ID, planes, SITE_COLUMNS);
}

static void add_sets(tachy_columns *c, tachy_tables *tables, const tachy_names *names) {
  tachy_plane planes[3] = {0}; /* sizes; keys, values */
  for (uint32_t i = 0; i < tachy_index_count(&tables->sets); i++) {
    const tachy_set_entry *const set = tachy_names_set(names, tachy_index_number(&tables->sets, i));
    const uint64_t size = set->count;
    tachy_columns_row(c, planes, 1, &size);
    for (uint32_t pair = 0; pair < set->count; pair++) {
      const uint64_t strings[2] = {string_of(c, tables, set->strings[2 * pair]),
                                   string_of(c, tables, set->strings[2 * pair + 1])};
      tachy_columns_row(c, planes + 1, 2, strings);
    }
  }
  tachy_columns_add(c, TACHY_COLUMN_SET_SIZE, planes, 3);
}

static void add_strings(tachy_columns *c, tachy_tables *tables, const tachy_names *names) {
  tachy_plane sizes = {0};
  tachy_bytes bytes = {0};
  const uint32_t *const numbers = tachy_index_numbers(&tables->strings);
  const uint32_t count = tachy_index_count(&tables->strings);
  for (uint32_t first = 0; first < count; first += AT_ONCE) {
    tachy_string strings[AT_ONCE];
    const uint32_t some = count - first < AT_ONCE ? count - first : AT_ONCE;
    names->strings(names->context, numbers + first, some, strings);
    for (uint32_t i = 0; i < some; i++) TACHY_PREFETCH(strings[i].text);
    for (uint32_t i = 0; i < some; i++) {
      if (!tachy_plane_append(&sizes, strings[i].size) ||
          !tachy_bytes_append(&bytes, strings[i].text, strings[i].size)) {
        c->failed = 1;
      }
    }
  }
  tachy_columns_add(c, TACHY_COLUMN_STRING_SIZE, &sizes, 1);
  tachy_columns_buffer(c, TACHY_COLUMN_STRING_BYTES, TACHY_ENCODING_BYTES, &bytes);
}

void tachy_columns_tables(tachy_columns *c, tachy_tables *tables, const tachy_names *names) {
  add_sites(c, tables, names);
  add_sets(c, tables, names);
  add_strings(c, tables, names);
}
