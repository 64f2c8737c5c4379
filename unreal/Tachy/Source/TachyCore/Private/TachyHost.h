// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

/** Gives the recorder the engine's threads, locks, clocks and memory, where it knows no system of its own
 * (TACHY_OS_HOST). */
void SetTachyHost();
