# SPDX-License-Identifier: BSD-2-Clause
#
# Installs headers, libv3.a, the CMake package (find_package(v3)) and the pkg-config file.
include(CMakePackageConfigHelpers)

set(v3_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/v3)

install(TARGETS v3 EXPORT v3Targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/v3 DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
	FILES_MATCHING PATTERN "*.h")
install(EXPORT v3Targets NAMESPACE v3:: DESTINATION ${v3_cmake_dir})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/v3Config.cmake.in
	${PROJECT_BINARY_DIR}/package/v3Config.cmake INSTALL_DESTINATION ${v3_cmake_dir}
	NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the API.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/v3ConfigVersion.cmake
	COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/package/v3Config.cmake
	${PROJECT_BINARY_DIR}/package/v3ConfigVersion.cmake DESTINATION ${v3_cmake_dir})

# The prefix is found from where v3.pc is, so that an installed tree can be moved.
file(RELATIVE_PATH v3_pc_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" v3_pc_prefix "${v3_pc_prefix}")
configure_file(${CMAKE_CURRENT_LIST_DIR}/v3.pc.in ${PROJECT_BINARY_DIR}/package/v3.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/v3.pc
	DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
