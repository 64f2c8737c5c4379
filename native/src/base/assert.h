/* TACHY_ASSERT: what a function relies on. On in tests, fuzzers and debug builds (-DTACHY_ASSERTS), gone otherwise. */
#ifndef TACHY_SRC_BASE_ASSERT_H
#define TACHY_SRC_BASE_ASSERT_H

#if defined(TACHY_ASSERTS)
#include "../os/os.h"
#define TACHY_ASSERT_TEXT_(x) #x
#define TACHY_ASSERT_LINE_(x) TACHY_ASSERT_TEXT_(x)
#define TACHY_ASSERT(condition) \
  ((condition) ? (void)0 : tachy_os_fail("tachy: " __FILE__ ":" TACHY_ASSERT_LINE_(__LINE__) ": not so: " #condition))
#else
#define TACHY_ASSERT(condition) ((void)sizeof(condition))
#endif

#endif
