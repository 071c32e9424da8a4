# SPDX-License-Identifier: BSD-2-Clause
#
# The library from src/<folder>/sources.list. Targets:
#   v3_<folder>       hosted objects of one folder (V3_FREESTANDING: freestanding ones)
#   v3 (v3::v3)       libv3.a, what is installed
#   v3_freestanding   libv3.a's sources as a kernel builds them, whatever the configuration
#   v3_test           hosted archive without what the fakes replace (see V3Testing.cmake)

# What each folder may include beside itself and include/. tests/build/check_includes.sh has the
# finer rules (svm and vmx see four headers of the core).
set(V3_FOLDERS x86 lib paging emul core svm vmx devices loader)
set(V3_SEES_x86)
set(V3_SEES_lib x86)
set(V3_SEES_paging x86 lib)
set(V3_SEES_emul x86 lib)
set(V3_SEES_core x86 lib paging emul)
set(V3_SEES_svm x86 lib paging emul core)
set(V3_SEES_vmx x86 lib paging emul core)
set(V3_SEES_devices x86 lib paging emul core)
set(V3_SEES_loader x86 lib paging emul core)

# Files that tests/fakes has other definitions for. Their objects: v3_<folder>_<name>.
set(V3_FAKED x86/priv.c x86/priv_vmx.c lib/lock.c svm/entry.S vmx/entry.S)

# Files that few exits run through. As a kernel builds them they are made small, not fast.
set(V3_COLD
	core/blocks.c core/console.c core/control.c core/cpu_model.c core/cpu_names.c
	core/cpuid_build.c core/device.c core/exit_cr.c core/fpu.c core/hooks.c core/host.c core/insn.c
	core/inspect.c core/intc_lent.c core/maps.c core/memory.c core/msr.c core/nodes.c
	core/pvclock.c core/reset.c core/state.c core/trace.c core/tsc.c core/vm.c
	devices/acpi.c devices/acpi_dsdt.c devices/acpi_pm.c devices/aml.c devices/cmos.c devices/i8042.c
	devices/lapic_lend.c devices/mptable.c devices/pc.c devices/pci.c devices/pit.c
	devices/pit_channel.c devices/reset.c devices/rtc.c devices/rtc_time.c devices/uart.c
	emul/emul_mul.c emul/emul_vec.c lib/format.c lib/pool.c
	loader/boot_params.c loader/entry.c loader/linux.c loader/multiboot.c loader/place.c
	loader/segments.c
	paging/ept.c paging/guest_levels.c paging/nested.c paging/npt.c
	svm/cpu.c svm/maps.c svm/state.c svm/vcpu.c
	vmx/apic.c vmx/caps.c vmx/check.c vmx/cpu.c vmx/host_state.c vmx/realmode.c vmx/state.c vmx/text.c
	vmx/tlb.c vmx/vcpu.c vmx/vmcs.c)

# What other folders have for VT-x alone, cold too; their objects: v3_<folder>_vmx.
set(V3_VMX_ONLY
	core/emulate_cpu.c
	emul/emul_cpu.c emul/emul_far.c emul/emul_flow.c emul/emul_misc.c emul/emul_seg.c)

# One directory per folder that holds nothing but a link to it: with these as include path, a
# folder that must not be seen is not found.
foreach(folder IN LISTS V3_FOLDERS)
	set(view ${PROJECT_BINARY_DIR}/view/${folder})
	file(MAKE_DIRECTORY ${view})
	file(CREATE_LINK ${PROJECT_SOURCE_DIR}/src/${folder} ${view}/${folder} SYMBOLIC)
endforeach()

# Sets <out> to the absolute source names of a folder, empty if it has no sources.list.
function(v3_read_sources folder out)
	set(result)
	set(list_file ${PROJECT_SOURCE_DIR}/src/${folder}/sources.list)
	if(EXISTS ${list_file})
		set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${list_file})
		file(STRINGS ${list_file} lines)
		foreach(line IN LISTS lines)
			string(REGEX REPLACE "#.*" "" line "${line}")
			string(STRIP "${line}" line)
			if(line STREQUAL "")
				continue()
			endif()
			set(source ${PROJECT_SOURCE_DIR}/src/${folder}/${line})
			if(NOT EXISTS ${source})
				message(FATAL_ERROR "src/${folder}/sources.list names '${line}', which "
					"is not there. Add the file or remove the line.")
			endif()
			list(APPEND result ${source})
		endforeach()
	endif()
	set(${out} ${result} PARENT_SCOPE)
endfunction()

# Object library <target> of a folder's <sources>, with the include path of that folder.
function(v3_add_objects target folder flags)
	add_library(${target} OBJECT ${ARGN})
	target_include_directories(${target} PRIVATE
		${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/view/${folder})
	foreach(seen IN LISTS V3_SEES_${folder})
		target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/view/${seen})
	endforeach()
	target_link_libraries(${target} PRIVATE v3_warnings ${flags})
	if(flags STREQUAL v3_kernel)
		set_target_properties(${target} PROPERTIES V3_COLD_FLAGS -Os)
	endif()
endfunction()

# -Os for V3_COLD in the targets that v3_add_objects() gave it.
function(v3_mark_cold)
	foreach(file IN LISTS V3_COLD V3_VMX_ONLY)
		set(source ${PROJECT_SOURCE_DIR}/src/${file})
		if(NOT EXISTS ${source})
			message(FATAL_ERROR "V3_COLD names src/${file}, which is not there")
		endif()
		set_source_files_properties(${source} PROPERTIES
			COMPILE_OPTIONS "$<TARGET_PROPERTY:V3_COLD_FLAGS>")
	endforeach()
endfunction()

# Objects of all folders with the given flags. <out>: generator expressions of the objects without
# V3_FAKED; <out>_faked: those of V3_FAKED.
function(v3_add_all_objects suffix flags out)
	set(objects)
	set(faked)
	foreach(folder IN LISTS V3_FOLDERS)
		v3_read_sources(${folder} sources)
		foreach(file IN LISTS V3_FAKED)
			set(source ${PROJECT_SOURCE_DIR}/src/${file})
			if(source IN_LIST sources)
				cmake_path(GET source STEM name)
				set(target v3_${folder}_${name}${suffix})
				list(REMOVE_ITEM sources ${source})
				v3_add_objects(${target} ${folder} ${flags} ${source})
				list(APPEND faked $<TARGET_OBJECTS:${target}>)
			endif()
		endforeach()
		set(only)
		foreach(file IN LISTS V3_VMX_ONLY)
			set(source ${PROJECT_SOURCE_DIR}/src/${file})
			if(source IN_LIST sources)
				list(APPEND only ${source})
			endif()
		endforeach()
		if(only)
			list(REMOVE_ITEM sources ${only})
			v3_add_objects(v3_${folder}_vmx${suffix} ${folder} ${flags} ${only})
			list(APPEND objects $<TARGET_OBJECTS:v3_${folder}_vmx${suffix}>)
		endif()
		if(sources)
			v3_add_objects(v3_${folder}${suffix} ${folder} ${flags} ${sources})
			list(APPEND objects $<TARGET_OBJECTS:v3_${folder}${suffix}>)
		endif()
	endforeach()
	set(${out} ${objects} PARENT_SCOPE)
	set(${out}_faked ${faked} PARENT_SCOPE)
endfunction()

function(v3_set_interface target)
	target_include_directories(${target} INTERFACE
		$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
		$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()

function(v3_define_libraries)
	# PUSHF writes below RSP, where a hosted build may keep data.
	set_source_files_properties(${PROJECT_SOURCE_DIR}/src/x86/priv.c
		PROPERTIES COMPILE_OPTIONS -mno-red-zone)
	v3_mark_cold()
	v3_add_all_objects(_freestanding v3_kernel kernel_objects)
	if(V3_FREESTANDING)
		add_library(v3 STATIC ${kernel_objects} ${kernel_objects_faked})
		add_library(v3_freestanding ALIAS v3)
	else()
		v3_add_all_objects("" v3_hosted objects)
		add_library(v3 STATIC ${objects} ${objects_faked})
		add_library(v3_freestanding STATIC ${kernel_objects} ${kernel_objects_faked})
		v3_set_interface(v3_freestanding)
		# Tests see all folders, and the fakes instead of the privileged instructions.
		add_library(v3_test STATIC EXCLUDE_FROM_ALL ${objects})
		target_include_directories(v3_test PUBLIC
			${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
		target_link_libraries(v3_test PUBLIC v3_hosted)
	endif()
	v3_set_interface(v3)
	add_library(v3::v3 ALIAS v3)
endfunction()
