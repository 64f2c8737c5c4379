// Symbol tables of PE files as mingw's and LLVM's linkers write them: COFF's, with static functions and their files,
// else what a DLL exports. Names of Microsoft's debug files are not read.
#include <windows.h>

#include <algorithm>
#include <cstdio>

#include "symbols.hpp"

namespace tachy::finstrument {
namespace {

constexpr unsigned kFunction = 0x20;  // the type of a symbol

struct Image {
  File file;
  const IMAGE_SECTION_HEADER *sections;
  unsigned section_count;
};

// Where a part of the loaded module lies in its file; nullptr: it does not.
template <class T>
const T *in_file(const Image &image, std::uint64_t address, std::uint64_t count) {
  for (unsigned i = 0; i < image.section_count; i++) {
    const IMAGE_SECTION_HEADER &section = image.sections[i];
    if (address < section.VirtualAddress || address - section.VirtualAddress >= section.SizeOfRawData) continue;
    return image.file.at<T>(address - section.VirtualAddress + section.PointerToRawData, count);
  }
  return nullptr;
}

bool add_function(Module &module, std::size_t &room, std::uint64_t begin, bool is_global, const char *name,
                  const char *source) {
  Function *const function = grow(module.functions, module.count, room);
  if (!function) return false;
  // without a size: up to the next one
  *function = {static_cast<std::uintptr_t>(begin), UINT32_MAX, is_global ? 0u : 2u, name, source};
  module.count++;
  return true;
}

// A name of up to eight bytes need not end; it is copied for good.
const char *short_name(const unsigned char *bytes, std::size_t size) {
  char *const copy = static_cast<char *>(std::calloc(1, size + 1));
  if (copy) std::memcpy(copy, bytes, size);
  return copy;
}

const char *name_of(const IMAGE_SYMBOL &symbol, const char *texts, std::uint64_t size) {
  if (symbol.N.Name.Short != 0) return short_name(symbol.N.ShortName, 8);
  return text_at(texts, size, symbol.N.Name.Long);
}

void read_table(Module &module, const Image &image, const IMAGE_FILE_HEADER &head) {
  const std::uint64_t count = head.NumberOfSymbols;
  const unsigned char *const table =
      image.file.at<unsigned char>(head.PointerToSymbolTable, count * IMAGE_SIZEOF_SYMBOL);
  const std::uint64_t strings = head.PointerToSymbolTable + count * IMAGE_SIZEOF_SYMBOL;
  if (!head.PointerToSymbolTable || !table || strings >= image.file.size) return;
  const std::uint64_t size = image.file.size - strings;
  const char *const texts = image.file.at<char>(strings, size);
  std::size_t room = module.count;
  const char *source = "";
  bool named = false;  // the object file whose symbols these are: clang's do not say from which source they come
  for (std::uint64_t i = 0; i < count; i++) {
    IMAGE_SYMBOL symbol;
    std::memcpy(&symbol, table + i * IMAGE_SIZEOF_SYMBOL, IMAGE_SIZEOF_SYMBOL);
    const std::uint64_t more = std::min<std::uint64_t>(symbol.NumberOfAuxSymbols, count - 1 - i);
    if (symbol.StorageClass == IMAGE_SYM_CLASS_FILE && more > 0) {
      const char *const name = short_name(table + (i + 1) * IMAGE_SIZEOF_SYMBOL, more * IMAGE_SIZEOF_SYMBOL);
      source = name ? base_name(name) : "";
      named = true;
    } else if (more > 0 && std::memcmp(symbol.N.ShortName, ".text\0\0", 8) == 0) {  // one in each
      if (!named) source = "";
      named = false;
    }
    const int section = symbol.SectionNumber;
    const bool is_global = symbol.StorageClass == IMAGE_SYM_CLASS_EXTERNAL;
    if (symbol.Type == kFunction && section > 0 && static_cast<unsigned>(section) <= image.section_count) {
      const char *const name = name_of(symbol, texts, size);
      const std::uint64_t begin = std::uint64_t{image.sections[section - 1].VirtualAddress} + symbol.Value;
      if (name && *name && !add_function(module, room, begin, is_global, name, is_global ? "" : source)) return;
    }
    i += more;
  }
}

void read_exports(Module &module, const Image &image, const IMAGE_DATA_DIRECTORY &where) {
  const IMAGE_EXPORT_DIRECTORY *const exports = in_file<IMAGE_EXPORT_DIRECTORY>(image, where.VirtualAddress, 1);
  if (!where.VirtualAddress || !exports) return;
  const DWORD *const names = in_file<DWORD>(image, exports->AddressOfNames, exports->NumberOfNames);
  const WORD *const indices = in_file<WORD>(image, exports->AddressOfNameOrdinals, exports->NumberOfNames);
  const DWORD *const functions = in_file<DWORD>(image, exports->AddressOfFunctions, exports->NumberOfFunctions);
  std::size_t room = module.count;
  for (DWORD i = 0; names && indices && functions && i < exports->NumberOfNames; i++) {
    const char *const name = in_file<char>(image, names[i], 1);
    if (!name || indices[i] >= exports->NumberOfFunctions) continue;
    const std::uint64_t left =
        image.file.size - static_cast<std::size_t>(name - reinterpret_cast<const char *>(image.file.bytes));
    if (text_at(name, left, 0) && !add_function(module, room, functions[indices[i]], true, name, "")) return;
  }
}

void read_file(Module &module, const File &file) {
  const IMAGE_DOS_HEADER *const dos = file.at<IMAGE_DOS_HEADER>(0, 1);
  if (!dos || dos->e_magic != IMAGE_DOS_SIGNATURE) return;
  const std::uint64_t offset = static_cast<std::uint32_t>(dos->e_lfanew);
  const IMAGE_NT_HEADERS64 *const head = file.at<IMAGE_NT_HEADERS64>(offset, 1);
  if (!head || head->Signature != IMAGE_NT_SIGNATURE || head->OptionalHeader.Magic != IMAGE_NT_OPTIONAL_HDR64_MAGIC)
    return;
  const std::uint64_t sections =
      offset + offsetof(IMAGE_NT_HEADERS64, OptionalHeader) + head->FileHeader.SizeOfOptionalHeader;
  const Image image = {file, file.at<IMAGE_SECTION_HEADER>(sections, head->FileHeader.NumberOfSections),
                       head->FileHeader.NumberOfSections};
  if (!image.sections) return;
  read_table(module, image, head->FileHeader);
  if (module.count == 0 && head->OptionalHeader.NumberOfRvaAndSizes > IMAGE_DIRECTORY_ENTRY_EXPORT) {
    read_exports(module, image, head->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXPORT]);
  }
}

}  // namespace

// The mapping is kept: names lie in it.
void read_functions(Module &module) {
  wchar_t path[1024];
  if (!MultiByteToWideChar(CP_UTF8, 0, module.path, -1, path, 1024)) return;
  const HANDLE file =
      CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING, 0, nullptr);
  if (file == INVALID_HANDLE_VALUE) return;
  LARGE_INTEGER size{};
  const HANDLE mapping =
      GetFileSizeEx(file, &size) ? CreateFileMappingW(file, nullptr, PAGE_READONLY, 0, 0, nullptr) : nullptr;
  const void *const bytes = mapping ? MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0) : nullptr;
  if (mapping) CloseHandle(mapping);
  CloseHandle(file);
  if (!bytes) return;
  read_file(module, File{static_cast<const unsigned char *>(bytes), static_cast<std::size_t>(size.QuadPart)});
  if (module.count == 0) UnmapViewOfFile(bytes);
}

void list_modules(std::uintptr_t address) {
  HMODULE handle = nullptr;
  const DWORD how = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
  if (!GetModuleHandleExW(how, reinterpret_cast<LPCWSTR>(address), &handle)) return;
  const unsigned char *const base = reinterpret_cast<const unsigned char *>(handle);
  const IMAGE_DOS_HEADER *const dos = reinterpret_cast<const IMAGE_DOS_HEADER *>(base);
  const IMAGE_NT_HEADERS64 *const head = reinterpret_cast<const IMAGE_NT_HEADERS64 *>(base + dos->e_lfanew);
  const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(base);
  Module *const module = new_module(begin, begin + head->OptionalHeader.SizeOfImage);
  if (!module) return;
  module->base = begin;
  wchar_t path[1024];
  const DWORD length = GetModuleFileNameW(handle, path, 1024);
  if (length == 0 || length >= 1024 ||
      !WideCharToMultiByte(CP_UTF8, 0, path, -1, module->path, sizeof module->path, nullptr, nullptr)) {
    module->path[0] = 0;
  }
}

}  // namespace tachy::finstrument
