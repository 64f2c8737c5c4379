// A check by its own text, so that a failure says what broke.
#pragma once
#include <stdio.h>

inline int Failures = 0;
#define EXPECT(...)                                                   \
  do {                                                                \
    if (!(__VA_ARGS__)) {                                             \
      ++Failures;                                                     \
      printf("FAILED %s:%d: %s\n", __FILE__, __LINE__, #__VA_ARGS__); \
    }                                                                 \
  } while (0)
void EngineChecks();
