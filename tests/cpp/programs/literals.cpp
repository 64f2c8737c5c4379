// One literal of 2,000 characters, logged 5,000 times: a block holds it once. usage: literals URL
#include <tachy/tachy.hpp>

#define TEN(text) text text text text text text text text text text
#define LITERAL TEN(TEN("0123456789 of a log!"))

int main(int, char **arguments) {
  tachy::Options options;
  options.http.url = arguments[1];
  tachy::Session session(options);
  for (int i = 0; i < 5000; ++i) {
    TACHY_LOG(TACHY_LEVEL_INFO, LITERAL);
    if (i % 1000 == 999) session.flush(60000);
  }
}
