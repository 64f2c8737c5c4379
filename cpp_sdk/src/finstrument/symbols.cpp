// Symbol tables of the running program: dl_iterate_phdr says what is mapped where, the files say what is in it.
#include "symbols.hpp"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tachy::finstrument {
namespace {

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
  Function *functions;  // sorted by begin
  std::size_t count;
};

Module *modules;
std::size_t module_count;
std::size_t module_room;

char *demangled;  // __cxa_demangle's buffer
std::size_t demangled_size;
char nameless[64];

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

const char *base_name(const char *path) {
  const char *const slash = std::strrchr(path, '/');
  return slash ? slash + 1 : path;
}

// What the mapped bytes of an ELF file say; every offset and size is checked, since files may lie.
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
const char *text_at(const char *table, std::uint64_t size, std::uint32_t offset) {
  if (offset >= size || !std::memchr(table + offset, 0, size - offset)) return nullptr;
  return table + offset;
}

void read_table(Module &module, const File &file, const Elf64_Shdr &table, const Elf64_Shdr &strings) {
  const std::uint64_t count = table.sh_size / sizeof(Elf64_Sym);
  const Elf64_Sym *const symbols = file.at<Elf64_Sym>(table.sh_offset, count);
  const char *const texts = file.at<char>(strings.sh_offset, strings.sh_size);
  if (!symbols || !texts) return;
  std::size_t room = module.count;
  const char *source = "";
  for (std::uint64_t i = 0; i < count; i++) {
    const Elf64_Sym &symbol = symbols[i];
    const unsigned type = ELF64_ST_TYPE(symbol.st_info);
    const unsigned binding = ELF64_ST_BIND(symbol.st_info);
    if (type == STT_FILE) {
      const char *const name = text_at(texts, strings.sh_size, symbol.st_name);
      source = name ? base_name(name) : "";
      continue;
    }
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol.st_shndx == SHN_UNDEF) continue;
    const char *const name = text_at(texts, strings.sh_size, symbol.st_name);
    if (!name || !*name) continue;
    Function *const function = grow(module.functions, module.count, room);
    if (!function) return;
    const std::uint32_t rank = binding == STB_GLOBAL ? 0 : binding == STB_WEAK ? 1 : 2;
    // a linker's table names the file before its local symbols, and the global ones after all files
    const char *const place = binding == STB_LOCAL ? source : "";
    *function = {static_cast<std::uintptr_t>(symbol.st_value),
                 static_cast<std::uint32_t>(std::min<std::uint64_t>(symbol.st_size, UINT32_MAX)), rank, name, place};
    module.count++;
  }
}

void read_file(Module &module, const File &file) {
  const Elf64_Ehdr *const head = file.at<Elf64_Ehdr>(0, 1);
  if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_ident[EI_CLASS] != ELFCLASS64) return;
  const Elf64_Shdr *const sections = file.at<Elf64_Shdr>(head->e_shoff, head->e_shnum);
  if (!sections) return;
  for (const unsigned wanted : {unsigned{SHT_SYMTAB}, unsigned{SHT_DYNSYM}}) {
    for (unsigned i = 0; i < head->e_shnum && module.count == 0; i++) {
      if (sections[i].sh_type == wanted && sections[i].sh_link < head->e_shnum) {
        read_table(module, file, sections[i], sections[sections[i].sh_link]);
      }
    }
  }
  std::sort(module.functions, module.functions + module.count, [](const Function &a, const Function &b) {
    return a.begin != b.begin ? a.begin < b.begin : a.rank < b.rank;
  });
}

void read_symbols(Module &module) {
  module.read = true;
  const int descriptor = open(module.path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  struct stat status {};
  if (fstat(descriptor, &status) == 0 && status.st_size > 0) {
    const std::size_t size = static_cast<std::size_t>(status.st_size);
    void *const bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes != MAP_FAILED) {
      read_file(module, File{static_cast<const unsigned char *>(bytes), size});
      if (module.count == 0) munmap(bytes, size);
    }
  }
  close(descriptor);
}

int add_module(dl_phdr_info *info, std::size_t, void *) {
  std::uintptr_t begin = UINTPTR_MAX;
  std::uintptr_t end = 0;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) &part = info->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || !(part.p_flags & PF_X)) continue;
    begin = std::min<std::uintptr_t>(begin, info->dlpi_addr + part.p_vaddr);
    end = std::max<std::uintptr_t>(end, info->dlpi_addr + part.p_vaddr + part.p_memsz);
  }
  if (begin >= end) return 0;
  for (std::size_t i = 0; i < module_count; i++) {
    if (modules[i].begin == begin && modules[i].end == end) return 0;
  }
  Module *const module = grow(modules, module_count, module_room);
  if (!module) return 1;
  *module = {};
  module->base = info->dlpi_addr;
  module->begin = begin;
  module->end = end;
  if (info->dlpi_name && *info->dlpi_name) {
    std::snprintf(module->path, sizeof module->path, "%s", info->dlpi_name);
  } else {
    const ssize_t size = readlink("/proc/self/exe", module->path, sizeof module->path - 1);
    module->path[size > 0 ? size : 0] = 0;
  }
  module_count++;
  return 0;
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

Symbol resolve(std::uintptr_t address) {
  Module *module = find_module(address);
  if (!module) {
    dl_iterate_phdr(add_module, nullptr);
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
