#include "memory.hpp"

#if defined(_WIN32)
#include <windows.h>
// after it
#include <psapi.h>

std::size_t resident_bytes() {
  PROCESS_MEMORY_COUNTERS memory{};
  return GetProcessMemoryInfo(GetCurrentProcess(), &memory, sizeof memory) ? memory.WorkingSetSize : 0;
}

#else
#include <unistd.h>

#include <fstream>

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

#endif
