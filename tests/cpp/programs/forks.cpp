// A child of fork() that leaves the scope of its parent's session, and one that has a session of its own.
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tachy/tachy.hpp>

int main(int, char **argv) {
  int status = 1;
  {
    tachy::Session session(argv[1]);
    TACHY_SPAN("parent");
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      session.stop();
      tachy::Session own(argv[1]);
      TACHY_SPAN("child");
      return own ? 0 : 2;
    }
    waitpid(child, &status, 0);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}
