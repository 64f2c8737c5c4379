/* The body of a block. */
#include "columns.h"

/* Opens a column of so many bytes: where they go, or NULL. */
static uint8_t *add(tachy_columns *c, tachy_column_id id, uint16_t encoding, uint64_t count, uint64_t size) {
  if (count == 0 || c->failed) return NULL;
  const tachy_column head = {(uint16_t)id, encoding, 0, count, size};
  const uint64_t padded = tachy_pad8(size);
  if (!tachy_bytes_append(&c->heads, &head, sizeof head) || !tachy_bytes_reserve(&c->bytes, padded)) {
    c->failed = 1;
    return NULL;
  }
  uint8_t *const at = c->bytes.bytes + c->bytes.size;
  c->bytes.size += padded;
  memset(at + size, 0, padded - size);
  return at;
}

static uint8_t *put(uint8_t *at, const tachy_bytes *buffer) {
  if (buffer->size) memcpy(at, buffer->bytes, buffer->size);
  return at + buffer->size;
}

void tachy_columns_plane(tachy_columns *c, tachy_column_id id, const tachy_plane *plane) {
  uint8_t *const at = add(c, id, TACHY_ENCODING_UINT, plane->low.size, plane->low.size + plane->high.size);
  if (at) put(put(at, &plane->low), &plane->high);
}

void tachy_columns_buffer(tachy_columns *c, tachy_column_id id, uint16_t encoding, const tachy_bytes *buffer) {
  const uint64_t count = encoding == TACHY_ENCODING_F64 ? buffer->size / 8 : buffer->size;
  uint8_t *const at = add(c, id, encoding, count, buffer->size);
  if (at) put(at, buffer);
}

void tachy_columns_planes(tachy_columns *c, tachy_column_id id, const tachy_stream *streams, unsigned plane) {
  uint64_t count = 0;
  uint64_t size = 0;
  for (const tachy_stream *s = streams; s; s = s->next) {
    count += s->planes[plane].low.size;
    size += s->planes[plane].low.size + s->planes[plane].high.size;
  }
  uint8_t *at = add(c, id, TACHY_ENCODING_UINT, count, size);
  if (!at) return;
  for (const tachy_stream *s = streams; s; s = s->next) at = put(at, &s->planes[plane].low);
  for (const tachy_stream *s = streams; s; s = s->next) at = put(at, &s->planes[plane].high);
}

void tachy_columns_floats(tachy_columns *c, tachy_column_id id, const tachy_stream *streams) {
  uint64_t size = 0;
  for (const tachy_stream *s = streams; s; s = s->next) size += s->floats.size;
  uint8_t *at = add(c, id, TACHY_ENCODING_F64, size / 8, size);
  for (const tachy_stream *s = streams; at && s; s = s->next) at = put(at, &s->floats);
}

void tachy_columns_text(tachy_columns *c, tachy_column_id id, const tachy_stream *streams) {
  uint64_t size = 0;
  for (const tachy_stream *s = streams; s; s = s->next) size += s->text.size;
  uint8_t *at = add(c, id, TACHY_ENCODING_BYTES, size, size);
  for (const tachy_stream *s = streams; at && s; s = s->next) at = put(at, &s->text);
}

/* Index of a string in the block. */
static void put_string(tachy_columns *c, tachy_tables *tables, tachy_plane *plane, uint32_t number) {
  const uint32_t position = tachy_index_position(&tables->strings, number);
  if (position == 0 || !tachy_plane_append(plane, position - 1)) c->failed = 1;
}

static void add_sites(tachy_columns *c, tachy_tables *tables, const tachy_names *names) {
  static const tachy_column_id texts[TACHY_SITE_TEXTS] = {TACHY_COLUMN_SITE_NAME, TACHY_COLUMN_SITE_TARGET,
                                                          TACHY_COLUMN_SITE_FILE, TACHY_COLUMN_SITE_UNIT};
  tachy_plane ids = {0}, lines = {0}, levels = {0}, kinds = {0};
  tachy_plane planes[TACHY_SITE_TEXTS] = {0};
  for (uint32_t i = 0; i < tachy_index_count(&tables->sites); i++) {
    const uint32_t number = tachy_index_number(&tables->sites, i);
    const tachy_site_entry *const site = tachy_names_site(names, number);
    for (unsigned t = 0; t < TACHY_SITE_TEXTS; t++) put_string(c, tables, &planes[t], site->strings[t]);
    if (!tachy_plane_append(&ids, number) || !tachy_plane_append(&lines, site->line) ||
        !tachy_plane_append(&levels, site->level) || !tachy_plane_append(&kinds, site->kind)) {
      c->failed = 1;
    }
  }
  tachy_columns_plane(c, TACHY_COLUMN_SITE_ID, &ids);
  for (unsigned t = 0; t < TACHY_SITE_TEXTS; t++) {
    tachy_columns_plane(c, texts[t], &planes[t]);
    tachy_plane_free(&planes[t]);
  }
  tachy_columns_plane(c, TACHY_COLUMN_SITE_LINE, &lines);
  tachy_columns_plane(c, TACHY_COLUMN_SITE_LEVEL, &levels);
  tachy_columns_plane(c, TACHY_COLUMN_SITE_KIND, &kinds);
  tachy_plane_free(&ids);
  tachy_plane_free(&lines);
  tachy_plane_free(&levels);
  tachy_plane_free(&kinds);
}

static void add_sets(tachy_columns *c, tachy_tables *tables, const tachy_names *names) {
  tachy_plane sizes = {0}, keys = {0}, values = {0};
  for (uint32_t i = 0; i < tachy_index_count(&tables->sets); i++) {
    const tachy_set_entry *const set = tachy_names_set(names, tachy_index_number(&tables->sets, i));
    if (!tachy_plane_append(&sizes, set->count)) c->failed = 1;
    for (uint32_t pair = 0; pair < set->count; pair++) {
      put_string(c, tables, &keys, set->strings[2 * pair]);
      put_string(c, tables, &values, set->strings[2 * pair + 1]);
    }
  }
  tachy_columns_plane(c, TACHY_COLUMN_SET_SIZE, &sizes);
  tachy_columns_plane(c, TACHY_COLUMN_SET_KEY, &keys);
  tachy_columns_plane(c, TACHY_COLUMN_SET_VALUE, &values);
  tachy_plane_free(&sizes);
  tachy_plane_free(&keys);
  tachy_plane_free(&values);
}

static void add_strings(tachy_columns *c, tachy_tables *tables, const tachy_names *names) {
  tachy_plane sizes = {0};
  tachy_bytes bytes = {0};
  for (uint32_t i = 0; i < tachy_index_count(&tables->strings); i++) {
    const tachy_string string = tachy_names_string(names, tachy_index_number(&tables->strings, i));
    if (!tachy_plane_append(&sizes, string.size) || !tachy_bytes_append(&bytes, string.text, string.size)) {
      c->failed = 1;
    }
  }
  tachy_columns_plane(c, TACHY_COLUMN_STRING_SIZE, &sizes);
  tachy_columns_buffer(c, TACHY_COLUMN_STRING_BYTES, TACHY_ENCODING_BYTES, &bytes);
  tachy_plane_free(&sizes);
  tachy_bytes_free(&bytes);
}

void tachy_columns_tables(tachy_columns *c, tachy_tables *tables, const tachy_names *names) {
  add_sites(c, tables, names);
  add_sets(c, tables, names);
  add_strings(c, tables, names);
}

uint8_t *tachy_columns_finish(tachy_columns *c, uint64_t *size) {
  const tachy_body_header head = {(uint32_t)(c->heads.size / sizeof(tachy_column)), 0};
  uint8_t *body = NULL;
  *size = sizeof head + c->heads.size + c->bytes.size;
  if (!c->failed) body = tachy_os_allocate(*size);
  if (body) {
    memcpy(body, &head, sizeof head);
    put(put(body + sizeof head, &c->heads), &c->bytes);
  }
  tachy_bytes_free(&c->heads);
  tachy_bytes_free(&c->bytes);
  return body;
}
