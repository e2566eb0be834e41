#include "transcript/lazy.h"

#include <stdint.h>
#include <string.h>

#include <dlfcn.h>

enum ag_err
lazy_load(const struct lazy_library *library, const char *what, void *table)
{
    void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);

    if (handle == NULL) {
        return err_why(AG_EUNSUPPORTED,
                       "%s need %s, which is not here; "
                       "install %s",
                       what, library->file, library->package);
    }
    for (size_t i = 0; i < library->slot_count; i++) {
        void *symbol = dlsym(handle, library->slots[i].name);

        if (symbol == NULL) {
            return err_why(AG_EUNSUPPORTED,
                           "%s need %s, and the one here has "
                           "no %s",
                           what, library->file, library->slots[i].name);
        }
        memcpy((uint8_t *)table + library->slots[i].offset, &symbol,
               sizeof(symbol));
    }
    return AG_OK;
}
