/* Logs that come later than they were made, or through another thread: queues, buffers and sockets of other loggers.
 *
 * Each goes to the stream of a stand-in: a slot that no thread stands at, which bears the name of the thread that the
 * log was made on. Whoever holds the lock is the one writer that a slot may have. */
#include "late.h"

#include <string.h>

#include "../../base/entries.h"
#include "../../base/inside.h"
#include "../../base/text.h"
#include "../../os/os.h"
#include "writer.h"

enum { STAND_INS = 32 }; /* each takes a slot; what is more shares one */

typedef struct stand_in {
  char name[TACHY_THREAD_NAME_MAX];
  tachy_slot *slot;
  uint64_t last; /* ticks: a stream's times do not run backwards */
} stand_in;

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static stand_in all[STAND_INS];
static unsigned count;
static stand_in images;

void tachy_late_lock(void) { tachy_inside_lock(&mutex); }
void tachy_late_unlock(void) { tachy_inside_unlock(&mutex); }

static stand_in *find(const char *name) {
  for (unsigned i = 0; i < count; i++) {
    if (strcmp(all[i].name, name) == 0) return &all[i];
  }
  return NULL;
}

static stand_in *stand_in_of(const char *name) {
  stand_in *found = find(name);
  if (!found && count >= STAND_INS - 1) {
    name = "other threads";
    found = find(name);
  }
  if (found) return found;
  tachy_slot *const slot = tachy_slot_stand_in(name);
  if (!slot) return NULL;
  stand_in *const made = &all[count++];
  *made = (stand_in){.slot = slot};
  memcpy(made->name, name, strlen(name) + 1);
  return made;
}

void tachy_own_log_text_at(tachy_site *site, uint32_t set, uint64_t ticks, const char *thread, const char *text,
                           size_t size) {
  const int32_t id = tachy_site_on_(site);
  if (id <= 0 || tachy_own_forking() || !TACHY_LOAD(&tachy_running)) return;
  if (tachy_inside()) {
    tachy_inside_drop(TACHY_CLASS_LOG);
    return;
  }
  char name[TACHY_THREAD_NAME_MAX] = {0};
  if (thread) {
    const tachy_fit fit = tachy_text_fit(thread, strlen(thread), sizeof name - 1);
    tachy_text_put(name, thread, &fit);
  }
  ticks = tachy_not_after(ticks, tachy_ticks());
  tachy_late_lock();
  stand_in *const by = TACHY_LOAD(&tachy_running) ? stand_in_of(name) : NULL;
  if (by) {
    if (by->last < ticks) by->last = ticks;
    tachy_log_write(by->slot, (uint32_t)id, set, by->last, text, size);
  }
  tachy_late_unlock();
  tachy_log_sent(site);
}

tachy_slot *tachy_late_lock_images(uint64_t *ticks) {
  tachy_late_lock();
  if (!TACHY_LOAD(&tachy_running)) return NULL;
  if (!images.slot) images.slot = tachy_slot_stand_in("images");
  if (images.last < *ticks) images.last = *ticks;
  *ticks = images.last;
  return images.slot;
}

/* The stand-ins are the parent's. */
void tachy_late_after_fork(void) {
  tachy_os_mutex_init(&mutex);
  count = 0;
  images = (stand_in){{0}, NULL, 0};
}
