/* Thread pointers of other copies of the recorder: one entry for each thread and copy, made at the first event there.
 */
#include "followers.h"

#include "../../base/inside.h"

#if defined(_WIN32)
void tachy_followers_add(tachy_thread **where, tachy_thread *nobody, const void *copy) {
  (void)where;
  (void)nobody;
  (void)copy;
}

void tachy_followers_forget(const void *copy) { (void)copy; }
void tachy_followers_stand(void) {}
void tachy_followers_end(void) {}
void tachy_followers_lock(void) {}
void tachy_followers_unlock(void) {}
void tachy_followers_after_fork(void) {}

#else
typedef struct follower {
  struct follower *next;   /* of all, for the life of the process */
  struct follower *beside; /* of the same thread; or the next free one */
  tachy_thread **where;    /* in the copy's thread-local memory; NULL: the copy has been unloaded */
  tachy_thread *nobody;
  const void *copy;
} follower;

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static follower *all;
static follower *unused;

void tachy_followers_lock(void) { tachy_inside_lock(&mutex); }
void tachy_followers_unlock(void) { tachy_inside_unlock(&mutex); }

static TACHY_THREAD_LOCAL follower *here; /* the calling thread's */

/* One of the thread's whose copy has gone, one of a thread that has gone, or a new one; NULL without memory. */
static follower *take(void) {
  for (follower *f = here; f; f = f->beside) {
    if (!f->where) return f;
  }
  follower *taken = unused;
  if (taken) {
    unused = taken->beside;
  } else {
    taken = (follower *)tachy_os_allocate(sizeof *taken);
    if (!taken) return NULL;
    taken->next = all;
    all = taken;
  }
  taken->beside = here;
  here = taken;
  return taken;
}

void tachy_followers_add(tachy_thread **where, tachy_thread *nobody, const void *copy) {
  tachy_thread *const thread = tachy_here_();
  if (thread == &tachy_no_thread_ || tachy_inside()) return;
  tachy_followers_lock();
  follower *const added = take();
  if (added) {
    added->nobody = nobody;
    added->copy = copy;
    added->where = where;
    *where = thread;
  }
  tachy_followers_unlock();
}

void tachy_followers_stand(void) {
  if (!here) return;
  tachy_thread *const thread = tachy_here_();
  tachy_followers_lock();
  for (follower *f = here; f; f = f->beside) {
    if (f->where) *f->where = thread == &tachy_no_thread_ ? f->nobody : thread;
  }
  tachy_followers_unlock();
}

void tachy_followers_end(void) {
  if (!here) return;
  tachy_followers_lock();
  while (here) {
    follower *const gone = here;
    here = gone->beside;
    gone->where = NULL;
    gone->beside = unused;
    unused = gone;
  }
  tachy_followers_unlock();
}

/* In the child: whoever followed learnt before the fork that there is nobody, and the other threads have gone. */
void tachy_followers_after_fork(void) {
  tachy_os_mutex_init(&mutex);
  here = unused = NULL;
  for (follower *f = all; f; f = f->next) {
    f->where = NULL;
    f->beside = unused;
    unused = f;
  }
}

void tachy_followers_forget(const void *copy) {
  tachy_followers_lock();
  for (follower *f = all; f; f = f->next) {
    if (f->copy == copy) f->where = NULL;
  }
  tachy_followers_unlock();
}
#endif
