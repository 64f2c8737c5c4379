// What the process has of the machine's memory.
#ifndef SIMULATION_MEMORY_HPP
#define SIMULATION_MEMORY_HPP

#include <cstddef>

std::size_t resident_bytes();  // 0: the system does not say

#endif
