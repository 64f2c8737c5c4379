// A session that ends after everything else, with the static objects. late [FLUSH]: what was recorded before has been
// sent by then, and with it the way to the server was found.
#include <tachy/tachy.hpp>

static tachy::Session session;

int main(int count, char **) {
  { TACHY_SPAN("first"); }
  if (count > 1 && !session.flush()) return 1;
  TACHY_SPAN("second");
  return session ? 0 : 2;
}
