// From the address of a function to its name: the symbol tables of the executable and of what it has loaded.
//
// Not thread-safe: finstrument.cpp calls it under its lock, once per function. Tables are read when their first
// function is asked for: symbols_elf.cpp, symbols_pe.cpp.
#ifndef TACHY_FINSTRUMENT_SYMBOLS_HPP
#define TACHY_FINSTRUMENT_SYMBOLS_HPP

#include <cstdint>

namespace tachy::finstrument {

struct Symbol {
  const char *name;    // demangled; "" never: without a symbol it is "module+0x1234"
  const char *file;    // source file of a static function, without its folder; "" when the table does not say
  const char *module;  // file name of the executable or shared object
};

// The symbol that contains the address. Its texts are valid until the next call.
Symbol resolve(std::uintptr_t address);

}  // namespace tachy::finstrument

#endif
