/* Fragments and views: see prop/redact/looks.h. */
#include "prop/redact/looks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    looks_check(data, size);
    return 0;
}
