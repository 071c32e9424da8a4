# SPDX-License-Identifier: BSD-2-Clause
#
# Each tests/fuzz/<name>.c, with its LLVMFuzzerTestOneInput, becomes the libFuzzer program <name>
# and a ctest with the label "fuzz" that runs it for V3_FUZZ_SECONDS from tests/fuzz/corpus/<name>
# if there is one. Longer runs: <build>/tests/<name> CORPUS-DIRECTORY.
set(V3_FUZZ_SECONDS 10 CACHE STRING "Length of each fuzzer's run in ctest")

file(GLOB v3_fuzz_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/*.c)
foreach(source IN LISTS v3_fuzz_sources)
	cmake_path(GET source STEM name)
	add_executable(${name} ${source})
	target_link_libraries(${name} PRIVATE v3_test_warnings v3_test v3_fakes)
	target_link_options(${name} PRIVATE -fsanitize=fuzzer)
	# New inputs go to the first directory: it must not be the source tree's.
	set(work ${CMAKE_CURRENT_BINARY_DIR}/corpus/${name})
	file(MAKE_DIRECTORY ${work})
	set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
	if(NOT EXISTS ${corpus})
		set(corpus)
	endif()
	add_test(NAME ${name} COMMAND ${name} -max_total_time=${V3_FUZZ_SECONDS} -timeout=10
		-artifact_prefix=${CMAKE_CURRENT_BINARY_DIR}/${name}- ${work} ${corpus})
	math(EXPR limit "${V3_FUZZ_SECONDS} + 60")
	set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT ${limit})
endforeach()
