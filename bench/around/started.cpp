// usage: started: a session, one event, the end. started resident: a session, and what is resident then, in MiB.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <tachy/tachy.hpp>

int main(int argc, char **) {
  tachy::Session session;
  if (!session) return 1;
  if (argc == 1) {
    TACHY_SPAN("only");
    return 0;
  }
  usleep(200000);  // the threads that it starts have settled
  std::FILE *const file = std::fopen("/proc/self/status", "r");
  char line[256];
  while (file && std::fgets(line, sizeof line, file)) {
    if (std::strncmp(line, "VmRSS:", 6) == 0) std::printf("{\"mb\": %.3f}\n", std::atof(line + 6) / 1024.0);
  }
  return file ? std::fclose(file) : 1;
}
