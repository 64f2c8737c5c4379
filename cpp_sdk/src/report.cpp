// tachy_stats written as JSON.
#include "tachy/report.h"

#include <inttypes.h>
#include <stdio.h>

namespace {

void write_classes(FILE *file, const char *name, const uint64_t *counts) {
  fprintf(file, "  \"%s\": {\"log\": %" PRIu64 ", \"metric\": %" PRIu64 ", \"span\": %" PRIu64 "},\n", name,
          counts[TACHY_CLASS_LOG], counts[TACHY_CLASS_METRIC], counts[TACHY_CLASS_SPAN]);
}

void write_number(FILE *file, const char *name, uint64_t value) {
  fprintf(file, "  \"%s\": %" PRIu64 ",\n", name, value);
}

}  // namespace

void tachy_process_id_text(char *text) {
  tachy_stats stats;
  tachy_get_stats(&stats);
  const uint8_t *const id = stats.process_id;
  snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", id[0], id[1], id[2], id[3],
           id[4], id[5], id[6], id[7], id[8], id[9], id[10], id[11], id[12], id[13], id[14], id[15]);
}

tachy_status tachy_write_report(const char *path) {
  FILE *const file = fopen(path, "w");
  if (!file) return TACHY_ERROR_SYSTEM;
  tachy_stats stats;
  tachy_get_stats(&stats);
  char process_id[37];
  tachy_process_id_text(process_id);
  const uint64_t sent = stats.sent[TACHY_CLASS_LOG] + stats.sent[TACHY_CLASS_METRIC] + stats.sent[TACHY_CLASS_SPAN];
  fprintf(file, "{\n  \"process_id\": \"%s\",\n", process_id);
  write_classes(file, "recorded", stats.recorded);
  write_classes(file, "dropped", stats.dropped);
  write_classes(file, "sent", stats.sent);
  write_classes(file, "kept", stats.kept);
  write_number(file, "not_retained", stats.not_retained);
  write_number(file, "flight_overwritten", stats.flight_overwritten);
  write_number(file, "batches", stats.batches);
  write_number(file, "blocks", stats.blocks);
  write_number(file, "raw_bytes", stats.raw_bytes);
  write_number(file, "wire_bytes", stats.wire_bytes);
  write_number(file, "collector_ns", stats.collector_ns);
  write_number(file, "compressor_ns", stats.compressor_ns);
  write_number(file, "outbox_bytes", stats.outbox_bytes);
  write_number(file, "spool_bytes", stats.spool_bytes);
  write_number(file, "survives", stats.survives);
  write_number(file, "unprotected", stats.unprotected);
  write_number(file, "recovered_batches", stats.recovered_batches);
  write_number(file, "recovered_lost", stats.recovered_lost);
  write_classes(file, "left_dropped", stats.left_dropped);
  write_number(file, "threads", stats.threads);
  write_number(file, "sites", stats.sites);
  write_number(file, "clock_backwards", stats.clock_backwards);
  write_number(file, "too_deep", stats.too_deep);
  write_number(file, "mismatched", stats.mismatched);
  write_number(file, "async_untracked", stats.async_untracked);
  write_number(file, "values_dropped", stats.values_dropped);
  write_number(file, "refused", stats.refused);
  write_number(file, "frequency", stats.frequency);
  write_number(file, "control_version", stats.control_version);
  write_number(file, "control_refused", stats.control_refused);
  fprintf(file, "  \"clock\": \"%s\",\n", stats.clock ? stats.clock : "");
  fprintf(file, "  \"bytes_per_event\": %.3f\n}\n",
          sent ? static_cast<double>(stats.wire_bytes) / static_cast<double>(sent) : 0.0);
  const bool failed = ferror(file) != 0;
  return fclose(file) == 0 && !failed ? TACHY_OK : TACHY_ERROR_SYSTEM;
}
