# tachy::zstd, the compression library: its packages differ in whether, and how, they describe themselves to CMake. On
# Windows, where few have it, the sender does without when there is none.
if(NOT TARGET tachy::zstd)
  if(WIN32)
    find_path(TACHY_ZSTD_INCLUDE_DIR zstd.h)
    find_library(TACHY_ZSTD_LIBRARY NAMES zstd zstd_static libzstd libzstd_static)
  else()
    find_path(TACHY_ZSTD_INCLUDE_DIR zstd.h REQUIRED)
    find_library(TACHY_ZSTD_LIBRARY zstd REQUIRED)
  endif()
  mark_as_advanced(TACHY_ZSTD_INCLUDE_DIR TACHY_ZSTD_LIBRARY)
  if(TACHY_ZSTD_INCLUDE_DIR AND TACHY_ZSTD_LIBRARY)
    add_library(tachy::zstd UNKNOWN IMPORTED)
    set_target_properties(tachy::zstd PROPERTIES IMPORTED_LOCATION "${TACHY_ZSTD_LIBRARY}"
                                                 INTERFACE_INCLUDE_DIRECTORIES "${TACHY_ZSTD_INCLUDE_DIR}")
  endif()
endif()
