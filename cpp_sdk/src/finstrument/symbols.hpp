// From the address of a function to its name: the symbol tables of the executable and of what it has loaded.
//
// Not thread-safe: finstrument.cpp calls it under its lock, once per function. Tables are read when their first
// function is asked for: symbols_elf.cpp, symbols_pe.cpp.
#ifndef TACHY_FINSTRUMENT_SYMBOLS_HPP
#define TACHY_FINSTRUMENT_SYMBOLS_HPP

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace tachy::finstrument {

struct Symbol {
  const char *name;    // demangled; "" never: without a symbol it is "module+0x1234"
  const char *file;    // source file of a static function, without its folder; "" when the table does not say
  const char *module;  // file name of the executable or shared object
};

// The symbol that contains the address. Its texts are valid until the next call.
Symbol resolve(std::uintptr_t address);

// What follows is between symbols.cpp and the two that read files: the functions of a loaded module, as its file's
// symbol table has them.

struct Function {
  std::uintptr_t begin;  // relative to the module's base
  std::uint32_t size;
  std::uint32_t rank;  // of several names of one address the least: global, weak, local
  const char *name;    // in the file's mapping, which is kept
  const char *file;
};

struct Module {
  std::uintptr_t base;
  std::uintptr_t begin;  // of its code
  std::uintptr_t end;
  char path[1024];
  bool read;
  Function *functions;
  std::size_t count;
};

// Of the file's bytes; every offset and size is checked, since files may lie.
struct File {
  const unsigned char *bytes;
  std::size_t size;

  template <class T>
  const T *at(std::uint64_t offset, std::uint64_t count) const {
    if (offset % alignof(T) || offset > size || count > (size - offset) / sizeof(T)) return nullptr;
    return reinterpret_cast<const T *>(bytes + offset);
  }
};

// A text of a string table; nullptr when it does not end inside it.
inline const char *text_at(const char *table, std::uint64_t size, std::uint32_t offset) {
  if (offset >= size || !std::memchr(table + offset, 0, static_cast<std::size_t>(size - offset))) return nullptr;
  return table + offset;
}

inline const char *base_name(const char *path) {
  const char *name = path;
  for (const char *c = path; *c; c++) {
    if (*c == '/' || *c == '\\') name = c + 1;
  }
  return name;
}

template <class T>
T *grow(T *&list, std::size_t count, std::size_t &room) {
  if (count == room) {
    const std::size_t wanted = room ? room * 2 : 64;
    T *const bigger = static_cast<T *>(std::realloc(static_cast<void *>(list), wanted * sizeof(T)));
    if (!bigger) return nullptr;
    list = bigger;
    room = wanted;
  }
  return &list[count];
}

// The next entry of the list of modules, zeroed, or nullptr. A module that is listed already is not to be listed again.
Module *new_module(std::uintptr_t begin, std::uintptr_t end);

// The system's. list_modules: that of the address, at least. read_functions: in any order.
void list_modules(std::uintptr_t address);
void read_functions(Module &module);

}  // namespace tachy::finstrument

#endif
