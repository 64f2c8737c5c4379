// Images of several sizes, and what is none. usage: images URL NAME
#include <string>
#include <tachy/tachy.hpp>
#include <vector>

int main(int, char **arguments) {
  tachy::image("too early", "image/x", "x", 1);
  tachy::Options options;
  options.http.url = arguments[1];
  options.stop_timeout = 60000;
  const tachy::Session session(options);
  const std::string name = arguments[2];
  for (const std::size_t size : {std::size_t{1}, std::size_t{4096}, std::size_t{300000}}) {
    std::vector<unsigned char> bytes(size);
    for (std::size_t i = 0; i < size; i++) bytes[i] = static_cast<unsigned char>(i * i >> 3);
    tachy::image(name.c_str(), "image/png", bytes.data(), bytes.size());
  }
  tachy::image(name.c_str(), "image/png", "", 0);
  tachy::set_category("tachy.image", TACHY_LEVEL_NONE);
  tachy::image(name.c_str(), "image/png", "off", 3);
  return session.status() == TACHY_OK ? 0 : 1;
}
