/* Counts slice begins on threads' tracks in a Perfetto trace of any size: the file is mapped, never held.
 *
 * Independent of the encoder and of protobuf libraries: it knows tags and lengths, and six field numbers.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  const uint8_t *at, *end;
} span;

typedef struct {
  uint32_t number, type;
  uint64_t value; /* of varints */
  span bytes;     /* of nested messages */
} field;

typedef struct {
  uint64_t *keys, *values;
  uint64_t capacity, count;
} table;

static int varint(span *s, uint64_t *v) {
  *v = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (s->at >= s->end) return 0;
    const uint8_t byte = *s->at++;
    if (shift < 64) *v |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return 1;
  }
  return 0;
}

static int next(span *s, field *f) {
  uint64_t tag, size;
  if (!varint(s, &tag)) return 0;
  f->number = (uint32_t)(tag >> 3);
  f->type = (uint32_t)(tag & 7);
  if (f->type == 0) return varint(s, &f->value);
  if (f->type == 2) {
    if (!varint(s, &size) || size > (uint64_t)(s->end - s->at)) return 0;
  } else if (f->type == 1 || f->type == 5) {
    size = f->type == 1 ? 8 : 4;
    if (size > (uint64_t)(s->end - s->at)) return 0;
  } else {
    return 0;
  }
  f->bytes.at = s->at;
  f->bytes.end = s->at += size;
  return 1;
}

static uint64_t *entry(table *t, uint64_t key) {
  if (t->count * 2 >= t->capacity) {
    table grown = {0, 0, t->capacity ? t->capacity * 2 : 64, 0};
    grown.keys = calloc(grown.capacity, 8);
    grown.values = calloc(grown.capacity, 8);
    if (!grown.keys || !grown.values) abort();
    for (uint64_t i = 0; i < t->capacity; i++) {
      if (t->keys[i]) *entry(&grown, t->keys[i]) = t->values[i];
    }
    free(t->keys);
    free(t->values);
    *t = grown;
  }
  uint64_t i = key * 0x9E3779B97F4A7C15u & (t->capacity - 1);
  while (t->keys[i] && t->keys[i] != key) i = (i + 1) & (t->capacity - 1);
  if (!t->keys[i]) t->count++;
  t->keys[i] = key;
  return &t->values[i];
}

/* The varint field `number` of the message inside `path` of nested messages; 0 where it is absent. -1: malformed. */
static int lookup(span s, const uint32_t *path, uint64_t *value) {
  field f;
  while (s.at < s.end) {
    if (!next(&s, &f)) return -1;
    if (f.number != path[0]) continue;
    if (f.type == 0 && !path[1]) *value = f.value;
    if (f.type == 2 && path[1] && lookup(f.bytes, path + 1, value) < 0) return -1;
  }
  return 0;
}

static int64_t scan(span trace) {
  table is_thread = {0}, default_track = {0};
  const uint32_t defaults_path[] = {11, 11, 0}, type_path[] = {9, 0}, track_path[] = {11, 0}, uuid_path[] = {1, 0};
  int64_t slices = 0;
  field packet, f;
  while (slices >= 0 && trace.at < trace.end) {
    if (!next(&trace, &packet) || packet.number != 1 || packet.type != 2) return -1;
    uint64_t sequence = 0, default_uuid = 0, type = 0, track = 0, uuid = 0, thread = 0;
    for (span s = packet.bytes; s.at < s.end;) {
      if (!next(&s, &f)) return -1;
      if (f.number == 10 && f.type == 0) sequence = f.value;
      if (f.type != 2) continue;
      if (f.number == 59 && lookup(f.bytes, defaults_path, &default_uuid) < 0) return -1;
      if (f.number == 11 && (lookup(f.bytes, type_path, &type) < 0 || lookup(f.bytes, track_path, &track) < 0))
        return -1;
      if (f.number == 60) {
        if (lookup(f.bytes, uuid_path, &uuid) < 0) return -1;
        for (span d = f.bytes; d.at < d.end;) {
          if (!next(&d, &f)) return -1;
          if (f.number == 4) thread = 1;
        }
      }
    }
    if (!sequence) return -1;
    if (default_uuid) *entry(&default_track, sequence) = default_uuid;
    if (uuid && thread) *entry(&is_thread, uuid) = 1;
    if (type == 1) {
      if (!track) track = *entry(&default_track, sequence);
      if (track && *entry(&is_thread, track)) slices++;
    }
  }
  free(is_thread.keys);
  free(is_thread.values);
  free(default_track.keys);
  free(default_track.values);
  return slices;
}

static int64_t tachy_scan(const char *path, char *error, size_t error_size) {
  struct stat info;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || fstat(file, &info) != 0) {
    snprintf(error, error_size, "cannot read %s", path);
    if (file >= 0) close(file);
    return -1;
  }
  int64_t slices = 0;
  if (info.st_size > 0) {
    void *const mapped = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapped == MAP_FAILED) {
      snprintf(error, error_size, "cannot map %s", path);
      close(file);
      return -1;
    }
    slices = scan((span){mapped, (const uint8_t *)mapped + info.st_size});
    munmap(mapped, (size_t)info.st_size);
    if (slices < 0) snprintf(error, error_size, "%s is not a well-formed trace", path);
  }
  close(file);
  return slices;
}
