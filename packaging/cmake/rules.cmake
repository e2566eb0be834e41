# ag_compiled_rules(): schema/rules as the filter loads it, in the build tree's
# rules/ and installed to lib/auth-guard. Compiled for any processor, but for
# the Vectorscan of this machine.
function(ag_compiled_rules)
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/schema/rules/*.json")
    set(packs "${CMAKE_BINARY_DIR}/rules/default.rules"
        "${CMAKE_BINARY_DIR}/rules/all.rules")
    add_custom_command(OUTPUT ${packs}
        COMMAND auth-guard-rules compile --out "${CMAKE_BINARY_DIR}/rules"
            "${CMAKE_SOURCE_DIR}/schema/rules"
        DEPENDS auth-guard-rules ${sources} VERBATIM)
    add_custom_target(compiled_rules ALL DEPENDS ${packs})
    install(FILES ${packs} DESTINATION lib/auth-guard)
endfunction()
