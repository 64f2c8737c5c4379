/* Sentences for tachy_read_error. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

tachy_status tachy_read_fail(tachy_read_error *error, const char *format, ...) {
  if (error) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
  }
  return TACHY_ERROR_FORMAT;
}

tachy_status tachy_read_no_memory(tachy_read_error *error) {
  (void)tachy_read_fail(error, "there is not enough memory to decode this block");
  return TACHY_ERROR_MEMORY;
}
