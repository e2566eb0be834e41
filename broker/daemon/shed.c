#include "daemon/shed.h"

#include <sys/mman.h>

#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <link.h>

/* Never a part that may be written: what was relocated would be lost. */
static int
shed_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size;
    (void)arg;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + part->p_vaddr;
        uintptr_t first = begin & ~(page - 1);

        if (part->p_type == PT_LOAD && (part->p_flags & PF_W) == 0) {
            // NOLINTNEXTLINE(performance-no-int-to-ptr): an address in memory
            (void)madvise((void *)first, begin + part->p_memsz - first,
                          MADV_DONTNEED);
        }
    }
    return 0;
}

void
shed_start(void)
{
    (void)dl_iterate_phdr(shed_object, NULL);
}
