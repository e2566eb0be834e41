// LINKS: core
// WRAP: tx_commit store_use
/*
 * The first use of a value can't be committed. Nothing of it is on the record,
 * so the next one is a first use too, whatever else was committed meanwhile.
 */
#include "common/fault.h"
#include "common/permits.h"
#include "store/tx.h"
#include "store/uses.h"

enum ag_err __real_tx_commit(struct db_tx *tx);
enum ag_err __wrap_tx_commit(struct db_tx *tx);

enum ag_err
__wrap_tx_commit(struct db_tx *tx)
{
    if (fault_now()) {
        tx_rollback(tx);
        return AG_ENOSPACE;
    }
    return __real_tx_commit(tx);
}

static void
test_what_was_rolled_back_is_not_known(void **state)
{
    const struct task_proxy_request wish = {.ref = "ag://github/bot",
                                            .upstream = "https://api.example",
                                            .key_env = "K",
                                            .uses = -1};

    (void)state;
    start_sender(&wish, 1);
    struct sent sent = {.service = "api.example",
                        .name = "Authorization",
                        .value = bearer(sender.keys[0])};

    fault_arm(1);
    check_err(send_one(&sent), AG_ENOSPACE);
    assert_true(fault_done());
    sent.quick = true;
    check_err(send_one(&sent), AG_EBLOCKS);
    sent.quick = false;
    check_ok(send_one(&sent));
    sent.quick = true;
    check_ok(send_one(&sent));
    end_sender();
}

static bool journal_fails;

enum ag_err __real_store_use(struct store *store, const struct use *use);
enum ag_err __wrap_store_use(struct store *store, const struct use *use);

enum ag_err
__wrap_store_use(struct store *store, const struct use *use)
{
    return journal_fails ? AG_ENOSPACE : __real_store_use(store, use);
}

/* Two an hour: the second was not used up by the try that came to nothing. */
static void
test_what_is_asked_again_counts_once(void **state)
{
    const struct task_proxy_request wish = {.ref = "ag://github/bot",
                                            .upstream = "https://api.example",
                                            .key_env = "K",
                                            .rate = "2/h",
                                            .uses = -1};

    (void)state;
    start_sender(&wish, 1);
    struct sent sent = {.service = "api.example",
                        .name = "Authorization",
                        .value = bearer(sender.keys[0])};

    check_ok(send_one(&sent));
    journal_fails = true;
    sent.quick = true;
    check_err(send_one(&sent), AG_EBLOCKS);
    sent.quick = false;
    check_err(send_one(&sent), AG_ENOSPACE);
    journal_fails = false;
    check_ok(send_one(&sent));
    check_err(send_one(&sent), AG_ERATE);
    end_sender();
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_rolled_back_is_not_known),
        cmocka_unit_test(test_what_is_asked_again_counts_once),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
