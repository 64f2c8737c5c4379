// Symbol tables of ELF: dl_iterate_phdr says what is mapped where, the files say what is in it. .symtab is used when
// there is one (it has static functions, and their files), else .dynsym.
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "symbols.hpp"

namespace tachy::finstrument {
namespace {

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
    const char *const from = binding == STB_LOCAL ? source : "";
    *function = {static_cast<std::uintptr_t>(symbol.st_value),
                 static_cast<std::uint32_t>(std::min<std::uint64_t>(symbol.st_size, UINT32_MAX)), rank, name, from};
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
  Module *const module = new_module(begin, end);
  if (!module) return 0;
  module->base = info->dlpi_addr;
  if (info->dlpi_name && *info->dlpi_name) {
    std::snprintf(module->path, sizeof module->path, "%s", info->dlpi_name);
  } else {
    const ssize_t size = readlink("/proc/self/exe", module->path, sizeof module->path - 1);
    module->path[size > 0 ? size : 0] = 0;
  }
  return 0;
}

}  // namespace

void read_functions(Module &module) {
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

void list_modules(std::uintptr_t) { dl_iterate_phdr(add_module, nullptr); }

}  // namespace tachy::finstrument
