# SPDX-License-Identifier: BSD-2-Clause
#
# Target doc: HTML in <build>/doc/html. A warning of Doxygen is an error.
find_package(Doxygen REQUIRED)
file(GLOB v3_doc_pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/doc/*.md)
set(v3_doc_files ${PROJECT_SOURCE_DIR}/include ${v3_doc_pages})
set(V3_DOC_MAINPAGE)
if(EXISTS ${PROJECT_SOURCE_DIR}/README.md)
	list(APPEND v3_doc_files ${PROJECT_SOURCE_DIR}/README.md)
	set(V3_DOC_MAINPAGE "\"${PROJECT_SOURCE_DIR}/README.md\"")
endif()
list(TRANSFORM v3_doc_files REPLACE "(.+)" "\"\\1\"")
list(JOIN v3_doc_files " " V3_DOC_INPUT)
configure_file(${PROJECT_SOURCE_DIR}/doc/Doxyfile.in ${PROJECT_BINARY_DIR}/doc/Doxyfile @ONLY)
add_custom_target(doc
	COMMAND Doxygen::doxygen ${PROJECT_BINARY_DIR}/doc/Doxyfile
	WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
	COMMENT "Doxygen: ${PROJECT_BINARY_DIR}/doc/html/index.html"
	VERBATIM)
