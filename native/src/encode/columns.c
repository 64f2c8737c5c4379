/* The body of a block. */
#include "columns.h"

#include "../base/assert.h"

enum { LARGE = 4 << 20, HEADS_ROOM = sizeof(tachy_body_header) + TACHY_COLUMNS_MAX * sizeof(tachy_column) };

void tachy_columns_begin(tachy_columns *c, uint64_t size) {
  c->count = 0;
  c->bytes = (tachy_bytes){NULL, 0, 0};
  c->failed = !tachy_bytes_reserve(&c->bytes, HEADS_ROOM + size);
  if (c->failed) return;
  c->bytes.size = HEADS_ROOM;
  /* fresh memory each time: a third of what a block of texts cost were page faults */
  if (size >= LARGE) tachy_os_prefer_large_pages(c->bytes.bytes, size);
}

/* Opens a column of so many bytes: where they go, or NULL. */
static uint8_t *add(tachy_columns *c, tachy_column_id id, uint16_t encoding, uint64_t count, uint64_t size) {
  if (count == 0 || c->failed) return NULL;
  const uint64_t padded = tachy_pad8(size);
  TACHY_ASSERT(c->count < TACHY_COLUMNS_MAX);
  if (!tachy_bytes_reserve(&c->bytes, padded)) {
    c->failed = 1;
    return NULL;
  }
  c->heads[c->count++] = (tachy_column){(uint16_t)id, encoding, 0, count, size};
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

/* Of 100,000 sites each is a cache miss or four: they are fetched beforehand, so many at a time. */
enum { AT_ONCE = 64 };

/* The description of a site. */
typedef struct site_planes {
  tachy_plane id, line, level, kind;
  tachy_plane texts[TACHY_SITE_TEXTS];
} site_planes;

static void add_site(tachy_columns *c, tachy_tables *tables, site_planes *planes, uint32_t number,
                     const tachy_site_entry *site) {
  for (unsigned t = 0; t < TACHY_SITE_TEXTS; t++) put_string(c, tables, &planes->texts[t], site->strings[t]);
  if (!tachy_plane_append(&planes->id, number) || !tachy_plane_append(&planes->line, site->line) ||
      !tachy_plane_append(&planes->level, site->level) || !tachy_plane_append(&planes->kind, site->kind)) {
    c->failed = 1;
  }
}

static void add_sites(tachy_columns *c, tachy_tables *tables, const tachy_names *names) {
  static const tachy_column_id texts[TACHY_SITE_TEXTS] = {TACHY_COLUMN_SITE_NAME, TACHY_COLUMN_SITE_TARGET,
                                                          TACHY_COLUMN_SITE_FILE, TACHY_COLUMN_SITE_UNIT};
  site_planes planes;
  memset(&planes, 0, sizeof planes);
  const uint32_t *const numbers = tachy_index_numbers(&tables->sites);
  const uint32_t count = tachy_index_count(&tables->sites);
  for (uint32_t first = 0; first < count; first += AT_ONCE) {
    const tachy_site_entry *sites[AT_ONCE];
    const uint32_t some = count - first < AT_ONCE ? count - first : AT_ONCE;
    names->sites(names->context, numbers + first, some, sites);
    for (uint32_t i = 0; i < some; i++) TACHY_PREFETCH(sites[i]);
    for (uint32_t i = 0; i < some; i++) tachy_index_expect(&tables->strings, sites[i]->strings[TACHY_TEXT_NAME]);
    for (uint32_t i = 0; i < some; i++) add_site(c, tables, &planes, numbers[first + i], sites[i]);
  }
  tachy_columns_plane(c, TACHY_COLUMN_SITE_ID, &planes.id);
  for (unsigned t = 0; t < TACHY_SITE_TEXTS; t++) {
    tachy_columns_plane(c, texts[t], &planes.texts[t]);
    tachy_plane_free(&planes.texts[t]);
  }
  tachy_columns_plane(c, TACHY_COLUMN_SITE_LINE, &planes.line);
  tachy_columns_plane(c, TACHY_COLUMN_SITE_LEVEL, &planes.level);
  tachy_columns_plane(c, TACHY_COLUMN_SITE_KIND, &planes.kind);
  tachy_plane_free(&planes.id);
  tachy_plane_free(&planes.line);
  tachy_plane_free(&planes.level);
  tachy_plane_free(&planes.kind);
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

void *tachy_columns_finish(tachy_columns *c, uint8_t **body, uint64_t *size) {
  if (c->failed) {
    tachy_bytes_free(&c->bytes);
    return NULL;
  }
  const tachy_body_header head = {c->count, 0};
  const uint64_t heads = c->count * sizeof *c->heads;
  void *const smaller = tachy_os_resize(c->bytes.bytes, c->bytes.size);
  uint8_t *const memory = smaller ? smaller : c->bytes.bytes;
  *body = memory + (HEADS_ROOM - sizeof head - heads);
  *size = c->bytes.size - HEADS_ROOM + sizeof head + heads;
  memcpy(*body, &head, sizeof head);
  memcpy(*body + sizeof head, c->heads, heads);
  return memory;
}
