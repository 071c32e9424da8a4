# SPDX-License-Identifier: BSD-2-Clause
#
# baremetal_begin() clears what the including project has set for its own code in the calling
# directory: a bare-metal program is freestanding, sanitizers and coverage must not reach it, and
# the image must be the same in every preset.
# baremetal_add(<target>) makes <target>.elf from sources.list beside the caller and from here.
# Only the files named after FLOAT may use floating point.

set(BAREMETAL_DIR ${CMAKE_CURRENT_LIST_DIR})

macro(baremetal_begin)
	set(CMAKE_C_FLAGS "")
	set(CMAKE_ASM_FLAGS "")
	set(CMAKE_EXE_LINKER_FLAGS "")
	foreach(config DEBUG RELEASE RELWITHDEBINFO MINSIZEREL)
		set(CMAKE_C_FLAGS_${config} "")
		set(CMAKE_ASM_FLAGS_${config} "")
		set(CMAKE_EXE_LINKER_FLAGS_${config} "")
	endforeach()
	foreach(property COMPILE_OPTIONS COMPILE_DEFINITIONS LINK_OPTIONS INCLUDE_DIRECTORIES)
		set_property(DIRECTORY PROPERTY ${property} "")
	endforeach()
endmacro()

function(baremetal_add target)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FLOAT")
	set(sources)
	foreach(dir ${CMAKE_CURRENT_SOURCE_DIR} ${BAREMETAL_DIR})
		set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${dir}/sources.list)
		file(STRINGS ${dir}/sources.list lines)
		list(FILTER lines EXCLUDE REGEX "^[ \t]*(#|$)")
		list(TRANSFORM lines PREPEND ${dir}/)
		list(APPEND sources ${lines})
	endforeach()
	foreach(source IN LISTS sources)
		cmake_path(GET source FILENAME name)
		if(name IN_LIST arg_FLOAT)
			set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS
				"-mfpmath=sse;-msse2;-O3")
		elseif(name MATCHES "[.]c$")
			set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS
				-mgeneral-regs-only)
		endif()
	endforeach()

	add_executable(${target} ${sources})
	set_target_properties(${target} PROPERTIES
		SUFFIX .elf C_STANDARD 11 C_EXTENSIONS ON
		POSITION_INDEPENDENT_CODE OFF INTERPROCEDURAL_OPTIMIZATION OFF
		LINK_DEPENDS ${BAREMETAL_DIR}/baremetal.ld)
	target_include_directories(${target} PRIVATE ${BAREMETAL_DIR})
	target_compile_options(${target} PRIVATE
		-m64 -ffreestanding -fno-pic -fno-pie
		-ffile-prefix-map=${CMAKE_CURRENT_SOURCE_DIR}=${target}
		-ffile-prefix-map=${BAREMETAL_DIR}=baremetal
		$<$<COMPILE_LANGUAGE:C>:-O2 -mno-red-zone -fno-stack-protector
			-fcf-protection=none -fno-asynchronous-unwind-tables -fno-strict-aliasing
			-fno-common -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes
			-Wshadow -Wframe-larger-than=1024>)
	target_link_options(${target} PRIVATE
		-m64 -static -nostdlib -Wl,--build-id=none
		-Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,-z,norelro
		-Wl,-T,${BAREMETAL_DIR}/baremetal.ld)
endfunction()
