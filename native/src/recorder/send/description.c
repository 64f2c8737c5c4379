/* The description of the process: facts, properties, JSON. */
#include "description.h"

#include "../../base/clock.h"
#include "../../base/entries.h"
#include "../../base/text.h"
#include "../../os/os.h"

enum { FACTS = 6, FACT_SIZE = 1024, PROPERTIES_MAX = 256, KEY_SIZE = 256, VALUE_SIZE = 1024 };

typedef struct pair {
  char *key;
  char *value;
} pair;

static const char *const fact_keys[FACTS] = {"exe", "username", "realname", "computer", "distro", "cpu_brand"};

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static uint8_t process_id[16];
static char facts[FACTS][FACT_SIZE];
static char sdk[128];
static char parent[37]; /* "": none */
static char destination[256];
static pair pairs[PROPERTIES_MAX];
static size_t pair_count;

void tachy_description_lock(void) { tachy_os_lock(&mutex); }
void tachy_description_unlock(void) { tachy_os_unlock(&mutex); }
void tachy_description_after_fork(void) { tachy_os_mutex_init(&mutex); }

void tachy_description_process_id(uint8_t id[16]) {
  tachy_os_lock(&mutex);
  memcpy(id, process_id, sizeof process_id);
  tachy_os_unlock(&mutex);
}

static void copy(char *to, size_t size, const char *from) {
  const tachy_fit fit = tachy_text_fit(from, strlen(from), size - 1);
  to[tachy_text_put(to, from, &fit)] = 0;
}

/* A copy of at most `size` bytes, the terminator included. */
static char *duplicate(const char *text, size_t size) {
  const size_t length = strlen(text);
  if (length < size) size = length + 1;
  char *const bytes = tachy_os_allocate(size);
  if (bytes) copy(bytes, size, text);
  return bytes;
}

/* 0: no memory, or too many. With 256 properties of this size a description is within what the server takes. */
static int set_pair(const char *given_key, const char *value) {
  char key[KEY_SIZE];
  copy(key, sizeof key, given_key);
  char *const value_copy = duplicate(value, VALUE_SIZE);
  if (!value_copy) return 0;
  for (size_t i = 0; i < pair_count; i++) {
    if (strcmp(pairs[i].key, key) != 0) continue;
    tachy_os_release(pairs[i].value);
    pairs[i].value = value_copy;
    return 1;
  }
  char *const key_copy = pair_count < PROPERTIES_MAX ? duplicate(key, KEY_SIZE) : NULL;
  if (!key_copy) {
    tachy_os_release(value_copy);
    return 0;
  }
  pairs[pair_count++] = (pair){key_copy, value_copy};
  return 1;
}

void tachy_own_set_process_property(const char *key, const char *value) {
  if (!key || tachy_own_forking()) return;
  tachy_os_lock(&mutex);
  set_pair(key, value ? value : "");
  tachy_os_unlock(&mutex);
}

static tachy_status set_parent(const char *given) {
  uint8_t id[16];
  char inherited[64];
  parent[0] = 0;
  tachy_os_environment("TACHY_PARENT_PROCESS_ID", inherited, sizeof inherited);
  if (given && !tachy_uuid_parse(given, id)) return TACHY_ERROR_ARGUMENT;
  if (given || tachy_uuid_parse(inherited, id)) tachy_uuid_print(id, parent);
  return TACHY_OK;
}

/* Without what a URL says of the user, which is nobody's affair but the server's. */
static void set_destination(const char *given, char to[sizeof destination]) {
  const char *begin = given;
  while (*begin && *begin != ':') begin++;
  const int is_url = begin[0] && begin[1] == '/' && begin[2] == '/';
  begin = is_url ? begin + 3 : given;
  const char *rest = begin;
  for (const char *at = begin; is_url && *at && *at != '/' && *at != '?' && *at != '#'; at++) {
    if (*at == '@') rest = at + 1;
  }
  const uint64_t front = tachy_text_limit(given, (uint64_t)(begin - given), sizeof destination - 1);
  memcpy(to, given, front);
  const uint64_t size = tachy_text_limit(rest, strlen(rest), sizeof destination - 1 - front);
  memcpy(to + front, rest, size);
  to[front + size] = 0;
}

static tachy_status start(const tachy_config *config) {
  while (pair_count > 0) {
    pair_count--;
    tachy_os_release(pairs[pair_count].key);
    tachy_os_release(pairs[pair_count].value);
  }
  for (size_t i = 0; i < config->property_count; i++) {
    if (!config->properties || !config->properties[i].key) return TACHY_ERROR_ARGUMENT;
    if (!set_pair(config->properties[i].key, config->properties[i].value ? config->properties[i].value : "")) {
      return pair_count == PROPERTIES_MAX ? TACHY_ERROR_ARGUMENT : TACHY_ERROR_MEMORY;
    }
  }
  for (unsigned i = 0; i < FACTS; i++) tachy_os_describe((tachy_os_fact)i, facts[i], FACT_SIZE);
  if (config->exe) copy(facts[TACHY_OS_EXE], FACT_SIZE, config->exe);
  copy(sdk, sizeof sdk, config->sdk ? config->sdk : "c " TACHY_VERSION);
  set_destination(config->destination ? config->destination : "", destination);
  const tachy_status status = set_parent(config->parent_process_id);
  if (status != TACHY_OK) return status;
  return tachy_uuid_random(process_id) ? TACHY_OK : TACHY_ERROR_SYSTEM;
}

tachy_status tachy_description_start(const tachy_config *config) {
  tachy_os_lock(&mutex);
  const tachy_status status = start(config);
  tachy_os_unlock(&mutex);
  return status;
}

static int put(tachy_bytes *json, const char *text) { return tachy_bytes_append(json, text, strlen(text)); }

/* A JSON string; what is not UTF-8 becomes '?'. */
static int put_string(tachy_bytes *json, const char *text) {
  static const char digits[] = "0123456789abcdef";
  const uint64_t size = strlen(text);
  if (!tachy_bytes_reserve(json, 6 * size + 2)) return 0;
  tachy_bytes clean = {0};
  if (!tachy_bytes_append(&clean, text, size + 1)) return 0;
  tachy_text_clean(clean.bytes, size);
  tachy_bytes_put(json, "\"", 1);
  for (uint64_t i = 0; i < size; i++) {
    const uint8_t c = clean.bytes[i];
    if (c == '"' || c == '\\') {
      const char escaped[2] = {'\\', (char)c};
      tachy_bytes_put(json, escaped, 2);
    } else if (c < 0x20) {
      const char escaped[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
      tachy_bytes_put(json, escaped, 6);
    } else {
      tachy_bytes_put(json, &c, 1);
    }
  }
  tachy_bytes_put(json, "\"", 1);
  tachy_bytes_free(&clean);
  return 1;
}

static int put_member(tachy_bytes *json, const char *key, const char *value) {
  return put_string(json, key) && put(json, ":") && put_string(json, value) && put(json, ",");
}

static int put_number(tachy_bytes *json, const char *key, uint64_t value) {
  char text[21];
  char *at = text + sizeof text - 1;
  *at = 0;
  do *--at = (char)('0' + value % 10);
  while (value /= 10);
  return put_string(json, key) && put(json, ":") && put(json, at) && put(json, ",");
}

static int write_json(tachy_bytes *json) {
  char id[37];
  tachy_uuid_print(process_id, id);
  int ok = put(json, "{") && put_member(json, "process_id", id);
  ok = ok && (parent[0] ? put_member(json, "parent_process_id", parent) : put(json, "\"parent_process_id\":null,"));
  ok = ok && put_member(json, "destination", destination);
  for (unsigned i = 0; i < FACTS; i++) ok = ok && put_member(json, fact_keys[i], facts[i]);
  const tachy_clock_pair begin = tachy_clock_begin();
  ok = ok && put_number(json, "tsc_frequency", tachy_clock_frequency()) &&
       put_number(json, "start_time", (uint64_t)begin.utc) && put_number(json, "start_ticks", begin.ticks) &&
       put_member(json, "clock", tachy_clock_name()) && put_member(json, "sdk", sdk) && put(json, "\"properties\":{");
  for (size_t i = 0; i < pair_count; i++) {
    ok = ok && (i == 0 || put(json, ",")) && put_string(json, pairs[i].key) && put(json, ":") &&
         put_string(json, pairs[i].value);
  }
  return ok && put(json, "}");
}

/* The first that has the key's name is the key: in a value its quotes would be escaped, and properties come later. */
int tachy_description_says(const tachy_bytes *json, const char *key, const char *value) {
  tachy_bytes text = {0};
  int same = 0;
  const int named = put_string(&text, key) && put(&text, ":");
  const uint64_t front = text.size;
  if (named && put_string(&text, value)) {
    uint64_t at = 0;
    while (at + text.size <= json->size && memcmp(json->bytes + at, text.bytes, front) != 0) at++;
    same = at + text.size <= json->size && memcmp(json->bytes + at, text.bytes, text.size) == 0;
  }
  tachy_bytes_free(&text);
  return same;
}

int tachy_description_is_for(const tachy_bytes *json, const char *given) {
  char wanted[sizeof destination];
  set_destination(given, wanted);
  return tachy_description_says(json, "destination", wanted);
}

int tachy_description_end(tachy_bytes *json, const char *state) {
  return put(json, ",\"state\":") && put_string(json, state) && put(json, "}");
}

int tachy_description_add(tachy_bytes *json, const char *key, const char *value) {
  if (json->size < 2 || json->bytes[json->size - 1] != '}') return 0;
  json->size--;
  const int first = json->bytes[json->size - 1] == '{';
  return (first || put(json, ",")) && put_string(json, key) && put(json, ":") && put_string(json, value) &&
         put(json, "}");
}

int tachy_description_write(tachy_bytes *json) {
  tachy_os_lock(&mutex);
  const int ok = write_json(json);
  tachy_os_unlock(&mutex);
  return ok;
}
