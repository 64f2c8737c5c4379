# What `cmake --install` puts where: headers, libraries, the CMake package, pkg-config files.
include(CMakePackageConfigHelpers)

set(package "${CMAKE_INSTALL_LIBDIR}/cmake/tachy")
install(TARGETS tachy_recorder tachy_recorder_shared tachy_sdk tachy_sdk_shared tachy_finstrument tachy_finstrument_shared EXPORT tachy)
install(EXPORT tachy NAMESPACE tachy:: FILE tachyTargets.cmake DESTINATION "${package}")
install(FILES ../native/include/tachy/tachy.h ../native/include/tachy/hot.h ../native/include/tachy/compiler.h
              ../native/include/tachy/format.h ../native/include/tachy/status.h
              include/tachy/tachy.hpp include/tachy/detail.hpp include/tachy/http_sender.h include/tachy/report.h
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/tachy")

configure_package_config_file(cmake/tachyConfig.cmake.in tachyConfig.cmake INSTALL_DESTINATION "${package}")
write_basic_package_version_file(tachyConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/tachyConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/tachyConfigVersion.cmake"
              cmake/tachy-zstd.cmake
        DESTINATION "${package}")

file(RELATIVE_PATH to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
foreach(name tachy tachy-sdk tachy-finstrument)
  configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()
