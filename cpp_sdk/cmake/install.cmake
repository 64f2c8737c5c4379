# What `cmake --install` puts where: headers, libraries, the CMake package, pkg-config files.
include(CMakePackageConfigHelpers)

set(package "${CMAKE_INSTALL_LIBDIR}/cmake/tachy")
set(installed tachy_recorder tachy_recorder_shared)
foreach(part ${parts})
  list(APPEND installed tachy_${part})
endforeach()
install(TARGETS ${installed} EXPORT tachy)
install(EXPORT tachy NAMESPACE tachy:: FILE tachyTargets.cmake DESTINATION "${package}")
install(FILES ../native/include/tachy/tachy.h ../native/include/tachy/hot.h ../native/include/tachy/hot_x86_64.h
              ../native/include/tachy/compiler.h
              ../native/include/tachy/format.h ../native/include/tachy/status.h
              include/tachy/tachy.hpp include/tachy/detail.hpp include/tachy/http_sender.h include/tachy/report.h
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/tachy")

set(tachy_compresses OFF)
if(TARGET tachy::zstd)
  set(tachy_compresses ON)
endif()
configure_package_config_file(cmake/tachyConfig.cmake.in tachyConfig.cmake INSTALL_DESTINATION "${package}")
write_basic_package_version_file(tachyConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/tachyConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/tachyConfigVersion.cmake"
              cmake/tachy-zstd.cmake
        DESTINATION "${package}")

file(RELATIVE_PATH to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
set(names tachy tachy-sdk)
if(TARGET tachy_finstrument_shared)
  list(APPEND names tachy-finstrument)
endif()
if(tachy_compresses)
  set(sdk_requires libzstd)
endif()
list(TRANSFORM sender_libraries PREPEND "-l" REGEX "^[a-z0-9_]+$" OUTPUT_VARIABLE sdk_libraries)
list(FILTER sdk_libraries INCLUDE REGEX "^-l")
list(JOIN sdk_libraries " " sdk_libraries)
foreach(name ${names})
  configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()
