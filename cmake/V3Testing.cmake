# SPDX-License-Identifier: BSD-2-Clause
#
# v3_unit_test(NAME <name> SOURCES <file>... [LIBS <target>...] [LABELS <label>...]
#              [TIMEOUT <seconds>])
# A CMocka executable unit_<name> and a ctest of that name with the label "unit" and those given. It
# is linked with the hosted library and the fakes (tests/fakes), which take the place of V3_FAKED;
# archives, so that a test which defines a function of the library itself gets its own.

find_package(PkgConfig QUIET)
if(PKG_CONFIG_FOUND)
	pkg_check_modules(CMOCKA QUIET IMPORTED_TARGET cmocka)
endif()
if(NOT CMOCKA_FOUND)
	message(FATAL_ERROR "The unit tests need CMocka and pkg-config, and they were not found. "
		"Install libcmocka-dev and pkg-config, or configure with -DV3_BUILD_TESTS=OFF.")
endif()

set(V3_SANITIZER_OPTIONS ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
	UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=second_deadlock_stack=1)

function(v3_unit_test)
	cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;TIMEOUT" "SOURCES;LIBS;LABELS")
	if(arg_UNPARSED_ARGUMENTS OR NOT arg_NAME OR NOT arg_SOURCES)
		message(FATAL_ERROR "v3_unit_test: NAME and SOURCES are needed, and nothing but "
			"NAME, SOURCES, LIBS, LABELS, TIMEOUT is known (got: ${ARGN})")
	endif()
	if(NOT arg_TIMEOUT)
		set(arg_TIMEOUT 60)
	endif()
	add_executable(unit_${arg_NAME} ${arg_SOURCES})
	target_link_libraries(unit_${arg_NAME} PRIVATE
		${arg_LIBS} v3_test_warnings v3_test v3_fakes PkgConfig::CMOCKA)
	add_test(NAME unit_${arg_NAME} COMMAND unit_${arg_NAME})
	set_tests_properties(unit_${arg_NAME} PROPERTIES
		LABELS "unit;${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
		ENVIRONMENT "${V3_SANITIZER_OPTIONS}")
endfunction()
