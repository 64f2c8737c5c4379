// What the sender needs of the system beside HTTP: posix/system.cpp, win32/system.cpp.
#ifndef TACHY_SENDER_SYSTEM_HPP
#define TACHY_SENDER_SYSTEM_HPP

#include <cstdint>
#include <string>

namespace tachy::sender {

std::uint64_t now_ms();  // of a clock that nobody sets
std::uint64_t process();
// Whether the process is ending and has no other threads any more: so it is in a DLL of Windows at the program's end.
bool is_alone();
void complain(const char *line);  // to whoever runs the program: stderr

// The value of a variable of the environment; false: it has none.
bool get_environment(const char *name, std::string *value);
// Also for programs that are started from now on; nullptr: without it.
void set_environment(const char *name, const char *value);

// The bytes of an IPv6 address, or false.
bool read_ipv6(const char *text, unsigned char *bytes);

// What a thread can wait for, beside its sockets. One that rings while nobody waits is remembered.
class Bell {
 public:
  Bell() = default;
  ~Bell();
  Bell(const Bell &) = delete;
  Bell &operator=(const Bell &) = delete;
  bool open();  // false: the system refused
  void ring();
  void wait(std::uint64_t ms);  // for the bell, or as long
  void heard();                 // what has rung until now is forgotten
  // For poll(), or WaitForMultipleObjects.
  std::intptr_t handle() const { return handle_; }

 private:
  std::intptr_t handle_ = -1;
#if !defined(_WIN32)
  std::intptr_t ringer_ = -1;
#endif
};

// It must stay where it is until it has been joined.
class Thread {
 public:
  bool start(void (*function)(void *), void *argument);  // false: the system refused. No signal is delivered there
  void join();
  void run() const { function_(argument_); }  // the system's

 private:
  std::uintptr_t handle_ = 0;
  void (*function_)(void *) = nullptr;
  void *argument_ = nullptr;
};

}  // namespace tachy::sender

#endif
