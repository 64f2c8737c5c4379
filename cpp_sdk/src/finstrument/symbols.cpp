// Names of functions in the modules that are loaded.
#include "symbols.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <cstdio>

namespace tachy::finstrument {
namespace {

Module *modules;
std::size_t module_count;
std::size_t module_room;

char *demangled;  // __cxa_demangle's buffer
std::size_t demangled_size;
char nameless[64];

void read_symbols(Module &module) {
  module.read = true;
  read_functions(module);
  std::sort(module.functions, module.functions + module.count, [](const Function &a, const Function &b) {
    return a.begin != b.begin ? a.begin < b.begin : a.rank < b.rank;
  });
}

Module *find_module(std::uintptr_t address) {
  for (std::size_t i = 0; i < module_count; i++) {
    if (address >= modules[i].begin && address < modules[i].end) return &modules[i];
  }
  return nullptr;
}

const Function *find_function(const Module &module, std::uintptr_t offset) {
  const Function *const begin = module.functions;
  const Function *const end = begin + module.count;
  const Function *at =
      std::upper_bound(begin, end, offset, [](std::uintptr_t value, const Function &f) { return value < f.begin; });
  if (at == begin) return nullptr;
  --at;
  while (at != begin && at[-1].begin == at->begin) --at;  // the best of several names
  return offset == at->begin || offset - at->begin < at->size ? at : nullptr;
}

const char *demangle(const char *name) {
  if (std::strncmp(name, "_Z", 2) != 0) return name;
  int status = 0;
  char *const text = abi::__cxa_demangle(name, demangled, &demangled_size, &status);
  if (status != 0 || !text) return name;
  demangled = text;
  return text;
}

}  // namespace

Module *new_module(std::uintptr_t begin, std::uintptr_t end) {
  for (std::size_t i = 0; i < module_count; i++) {
    if (modules[i].begin == begin && modules[i].end == end) return nullptr;
  }
  Module *const module = grow(modules, module_count, module_room);
  if (!module) return nullptr;
  *module = {};
  module->begin = begin;
  module->end = end;
  module_count++;
  return module;
}

Symbol resolve(std::uintptr_t address) {
  Module *module = find_module(address);
  if (!module) {
    list_modules(address);
    module = find_module(address);
  }
  if (!module) {
    std::snprintf(nameless, sizeof nameless, "0x%zx", static_cast<std::size_t>(address));
    return {nameless, "", ""};
  }
  if (!module->read) read_symbols(*module);
  const char *const path = base_name(module->path);
  const Function *const function = find_function(*module, address - module->base);
  if (function) return {demangle(function->name), function->file, path};
  std::snprintf(nameless, sizeof nameless, "%.40s+0x%zx", path, static_cast<std::size_t>(address - module->base));
  return {nameless, "", path};
}

}  // namespace tachy::finstrument
