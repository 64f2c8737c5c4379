/* The entries of the journal. */
#include "journal.h"

#include "../pool/session_file.h"
#include "../pool/session_layout.h"

/* Before anything else of a stream that no commit has told of: as it was when it began, whatever a cut that found
 * nothing to say has read since. */
static int begin(tachy_class cls, tachy_stream *s) {
  if (s->known) return 1;
  const tachy_journal_entry entry = {TACHY_JOURNAL_BEGIN, s->number,           s->slot->tail[cls], s->os_id, 0,
                                     s->own_front.told,   s->own_front.emitted};
  s->known = tachy_session_file_journal(cls, &entry, NULL, 0, NULL, 0);
  return s->known;
}

/* From the tail on, not from where the stream has read to: a cut that found nothing to say has read without leaving a
 * block behind. */
int tachy_journal_ring(tachy_class cls, tachy_stream *s, uint64_t head) {
  const uint64_t tail = s->slot->tail[cls];
  const uint64_t size = s->slot->back[cls].size;
  const uint8_t *const memory = tachy_slot_memory(s->slot, cls);
  const uint64_t lap_left = size - (tail & (size - 1));
  const uint64_t first = head - tail < lap_left ? head - tail : lap_left;
  if (!begin(cls, s)) return 0;
  if (head == tail) return 1;
  const tachy_journal_entry entry = {TACHY_JOURNAL_DATA, s->number, tail, first, head - tail, 0, 0};
  return tachy_session_file_journal(cls, &entry, memory + (tail & (size - 1)), first, memory, head - tail - first);
}

int tachy_journal_end(tachy_class cls, const tachy_stream *s, tachy_untold untold) {
  if (untold.count) {
    const tachy_journal_entry gap = {TACHY_JOURNAL_GAP, s->number, untold.count, untold.depth, 0, 0, 0};
    if (!tachy_session_file_journal(cls, &gap, NULL, 0, NULL, 0)) return 0;
  }
  const tachy_journal_entry entry = {TACHY_JOURNAL_END, s->number, s->missed, 0, s->name_size, 0, 0};
  return tachy_session_file_journal(cls, &entry, s->name, s->name_size, NULL, 0);
}
