/* Stored blobs from a hostile file: seals, slots, heads, boxes. */
#include "base/buf.h"
#include "base/secret.h"
#include "crypt/box.h"
#include "crypt/chain.h"
#include "crypt/keyring.h"
#include "crypt/slot.h"

int LLVMFuzzerInitialize(const int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t VAULT[16] = "vault of a test";
static struct secret *root;
static struct keyring *ring;

int
LLVMFuzzerInitialize(const int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    AG_ASSERT(secret_arena_open((size_t)1024 * 1024) == AG_OK);
    AG_ASSERT(secret_new(KDF_KEY_BYTES, &root) == AG_OK);
    AG_ASSERT(keyring_new(VAULT, &ring) == AG_OK);
    AG_ASSERT(keyring_open(ring, root) == AG_OK);
    return 0;
}

/* The cost of a passphrase slot is the attacker's to choose: only read. */
static void
check_slot(struct span blob)
{
    AG_AUTO(secret) struct secret *s = NULL;
    struct slot_at at = {VAULT, 1, SLOT_FACTOR_KEY};
    struct slot_cost cost;

    if (slot_cost_of(blob, &cost) == AG_OK) {
        AG_ASSERT(cost.passes <= 64 && cost.memory_bytes <= UINT64_C(4) << 30);
    }
    AG_ASSERT(slot_open(&at, blob, root, &s) != AG_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct seal_at at = {.vault_id = VAULT, .table = "t", .column = "c"};
    AG_AUTO(secret) struct secret *s = NULL;
    AG_AUTO(buf) struct buf out;
    struct span blob = span_of(data, size);
    struct chain_head head;
    unsigned slot;

    buf_init(&out, (size_t)1024 * 1024, BUF_WIPE);
    AG_ASSERT(seal_open(root, &at, blob, &s) != AG_OK);
    AG_ASSERT(seal_open_buf(root, &at, blob, &out) != AG_OK);
    AG_ASSERT(keyring_data_open(ring, &at, blob, &s) != AG_OK);
    AG_ASSERT(chain_head_pick(root, VAULT, blob, &head, &slot) != AG_OK);
    AG_ASSERT(box_open(root, blob, &s) != AG_OK);
    check_slot(blob);
    return 0;
}
