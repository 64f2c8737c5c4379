// The sender's system on Windows.
#include "../system.hpp"

#include <winsock2.h>
#include <ws2tcpip.h>
// before the next
#include <windows.h>
// before the next
#include <process.h>

#include <cstring>

namespace tachy::sender {

std::uint64_t now_ms() { return GetTickCount64(); }

std::uint64_t process() { return GetCurrentProcessId(); }

bool is_alone() {
  using Function = BOOLEAN(NTAPI *)();
  const FARPROC found = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "RtlDllShutdownInProgress");
  return found && reinterpret_cast<Function>(reinterpret_cast<void *>(found))();
}

void complain(const char *line) {
  const HANDLE out = GetStdHandle(STD_ERROR_HANDLE);
  DWORD done = 0;
  if (out && out != INVALID_HANDLE_VALUE) WriteFile(out, line, static_cast<DWORD>(strlen(line)), &done, nullptr);
}

bool get_environment(const char *name, std::string *value) {
  char text[4096];
  SetLastError(ERROR_SUCCESS);
  const DWORD size = GetEnvironmentVariableA(name, text, sizeof text);
  if (size >= sizeof text || (size == 0 && GetLastError() != ERROR_SUCCESS)) return false;
  value->assign(text, size);
  return true;
}

void set_environment(const char *name, const char *value) { SetEnvironmentVariableA(name, value); }

bool read_ipv6(const char *text, unsigned char *bytes) { return inet_pton(AF_INET6, text, bytes) == 1; }

// An event that resets itself when somebody has heard it.
bool Bell::open() {
  const HANDLE event = CreateEventW(nullptr, FALSE, FALSE, nullptr);
  if (event) handle_ = reinterpret_cast<std::intptr_t>(event);
  return event != nullptr;
}

Bell::~Bell() {
  if (handle_ != -1) CloseHandle(reinterpret_cast<HANDLE>(handle_));
}

void Bell::ring() { SetEvent(reinterpret_cast<HANDLE>(handle_)); }

void Bell::wait(std::uint64_t ms) { WaitForSingleObject(reinterpret_cast<HANDLE>(handle_), static_cast<DWORD>(ms)); }

void Bell::heard() {}

static unsigned __stdcall run_thread(void *thread) {
  static_cast<const Thread *>(thread)->run();
  return 0;
}

bool Thread::start(void (*function)(void *), void *argument) {
  function_ = function;
  argument_ = argument;
  handle_ = _beginthreadex(nullptr, 0, run_thread, this, 0, nullptr);
  return handle_ != 0;
}

void Thread::join() {
  WaitForSingleObject(reinterpret_cast<HANDLE>(handle_), INFINITE);
  CloseHandle(reinterpret_cast<HANDLE>(handle_));
}

}  // namespace tachy::sender
