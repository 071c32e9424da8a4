# SPDX-License-Identifier: BSD-2-Clause
#
# Compiler flags, as interface libraries:
#   v3_warnings       warnings for the library
#   v3_hosted         sanitizers or coverage, for what runs as a user process
#   v3_kernel         what a kernel needs: no red zone, no SSE, kernel code model
# Nothing is put into CMAKE_C_FLAGS: hosted and freestanding objects live in one build tree.

add_library(v3_warnings INTERFACE)
set(v3_warning_flags
	-Wall -Wextra -Wshadow -Wundef -Wvla -Wformat=2 -Wpointer-arith -Wwrite-strings
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
	-Wredundant-decls)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
	list(APPEND v3_warning_flags -Wlogical-op -Wduplicated-cond -Wduplicated-branches
		-Walloc-zero)
endif()
if(V3_WERROR)
	list(APPEND v3_warning_flags -Werror)
endif()
# Pointer casts between types are how a VMM reads tables; kernels switch this analysis off as well.
target_compile_options(v3_warnings INTERFACE
	$<$<COMPILE_LANGUAGE:C>:${v3_warning_flags} -fno-strict-aliasing -fno-common>)

add_library(v3_hosted INTERFACE)
if(V3_SANITIZE)
	set(v3_sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all)
	target_compile_options(v3_hosted INTERFACE ${v3_sanitizers} -fno-omit-frame-pointer)
	target_link_options(v3_hosted INTERFACE ${v3_sanitizers})
endif()
if(V3_TSAN)
	if(V3_SANITIZE)
		message(FATAL_ERROR "V3_TSAN and V3_SANITIZE exclude each other: the address and the "
			"thread sanitizer cannot be in one program. Use 'cmake --preset tsan'.")
	endif()
	target_compile_options(v3_hosted INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
	target_link_options(v3_hosted INTERFACE -fsanitize=thread)
endif()
if(V3_COVERAGE)
	# Atomic: counters that threads spoil turn negative, which gcovr refuses.
	target_compile_options(v3_hosted INTERFACE
		$<$<COMPILE_LANGUAGE:C>:--coverage> $<$<COMPILE_LANGUAGE:C>:-fprofile-update=atomic>)
	target_link_options(v3_hosted INTERFACE --coverage)
endif()
if(V3_BUILD_FUZZ)
	if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
		message(FATAL_ERROR "V3_BUILD_FUZZ needs clang (libFuzzer), the compiler is "
			"${CMAKE_C_COMPILER_ID}. Use 'cmake --preset fuzz' or set "
			"CMAKE_C_COMPILER=clang in an empty build directory.")
	endif()
	target_compile_options(v3_hosted INTERFACE -fsanitize=fuzzer-no-link)
	target_link_options(v3_hosted INTERFACE -fsanitize=fuzzer-no-link)
endif()

add_library(v3_kernel INTERFACE)
target_compile_options(v3_kernel INTERFACE
	-m64 -fno-pic
	$<$<COMPILE_LANGUAGE:C>:-O2 -DV3_X86_INLINE -ffreestanding -mno-red-zone -mgeneral-regs-only
		-mcmodel=kernel -fno-stack-protector -fno-asynchronous-unwind-tables
		-fno-unwind-tables -Wframe-larger-than=1024>)
